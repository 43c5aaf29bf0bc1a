/**
 * A real OpenID provider (npm oidc-provider) on loopback, whose redirects tests can tamper with:
 * `/hand?nonce=x` changes the next request to the provider, and `/hand?state=x` its next redirect
 * back to the server. Arguments: the port and the allowed redirect URIs.
 */

import Provider from "oidc-provider";

const [port, ...redirect_uris] = process.argv.slice(2);
const client_secret = "the secret that the test's provider knows the client by";
const client = { client_secret, redirect_uris, grant_types: ["authorization_code"] };

/** Parameters to change: `nonce`, `client_id` in a request; `state`, `code` in a redirect. */
let hand = {};
let lastBack = "";

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{ ...client, client_id: "parley" }, { ...client, client_id: "another" }],
  claims: {
    email: ["email", "email_verified"],
    profile: ["name", "given_name", "family_name"],
  },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({
      sub, email: `${sub}@example.org`, email_verified: true,
      given_name: sub[0].toUpperCase() + sub.slice(1), family_name: "Example",
    }),
  }),
  pkce: { required: () => true },
  cookies: { keys: ["a key of the test"] },
});

function change(address, names) {
  const url = new URL(address);
  for (const name of names) {
    if (hand[name]) url.searchParams.set(name, hand[name]);
    delete hand[name];
  }
  return url;
}

provider.use(async (ctx, next) => {
  if (ctx.path === "/hand") {
    hand = { ...ctx.query };
    ctx.body = { lastBack };
    return;
  }
  if (ctx.path === "/auth") {
    const { pathname, search } = change(ctx.href, ["nonce", "client_id"]);
    ctx.url = pathname + search;
  }
  await next();
  const place = ctx.response.get("location") ?? "";
  if (redirect_uris.some((uri) => place.startsWith(uri))) {
    lastBack = place;
    ctx.set("location", change(place, ["state", "code"]).href);
  }
});

provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
