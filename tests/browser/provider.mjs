/**
 * A real OpenID provider (npm oidc-provider) on loopback, with a hand in between that tests can
 * let change what passes: `/hand?nonce=x` changes the next way there, `/hand?state=x` the next way
 * back. Arguments: the port, and the addresses that it may send people back to.
 */

import Provider from "oidc-provider";

const [port, ...redirect_uris] = process.argv.slice(2);
const client_secret = "the secret that the test's provider knows the client by";
const client = { client_secret, redirect_uris, grant_types: ["authorization_code"] };

/** What is changed on the way there (`nonce`, `client_id`) and back (`state`, `code`). */
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
