"""Generates AsyncAPI, JSON Schema, TypeScript and documentation from the domains' declarations."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from handlers.kit.registry import Registry
from handlers.kit.rules import Rules
from server.catalog.asyncapi import describe, list_schemas
from server.catalog.domains import write_domains
from server.catalog.javascript import write_declared
from server.catalog.page import write_page
from server.catalog.typescript import write_contracts
from server.catalog.vocabulary import Vocabulary


class Catalog:
    """The descriptions of the protocol in all forms, each generated on demand."""

    def __init__(self, registry: Registry, rules: Rules | None = None) -> None:
        """Without `rules`, the maxima that are settings have their defaults."""
        self._registry = registry
        self._rules = rules or registry.default_rules

    def page(self) -> str:
        """The HTML page of `/docs`."""
        return self._page

    def asyncapi_json(self) -> str:
        """An AsyncAPI 3.0 document."""
        return self._asyncapi

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema: `{commands: {ns: {name: {request, reply}}}, events: {ns: {NAME: data}}}`.

        They refer to the schemas in `components.schemas`.
        """
        return list_schemas(self._vocabulary)

    def contracts(self) -> str:
        """`contracts.d.ts`, for clients in TypeScript or checked JavaScript."""
        return self._contracts

    def files(self) -> dict[Path, str]:
        """The files that `run.py catalog` writes, by their paths in the repository."""
        client = Path("static", "client")
        return {
            client / "contracts.d.ts": self.contracts(),
            client / "parley" / "declared.js": write_declared(self._vocabulary),
            Path("docs", "DOMAINS.md"): write_domains(self._registry),
        }

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self._registry, self._rules)

    @cached_property
    def _page(self) -> str:
        return write_page(self._vocabulary)

    @cached_property
    def _asyncapi(self) -> str:
        return json.dumps(describe(self._vocabulary), indent=2, ensure_ascii=False) + "\n"

    @cached_property
    def _contracts(self) -> str:
        return write_contracts(self._vocabulary)
