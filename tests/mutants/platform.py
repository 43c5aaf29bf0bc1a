"""Mutants of the platform's domains."""

from tests.mutants.mutant import Mutant

ERASURE = "tests/platform/personal_data/test_erasure.py"
FETCH = "tests/platform/previews/test_fetch.py"
OAUTH = "tests/platform/identities/test_oauth.py"
SIGNING_IN = "tests/server/test_signing_in.py"
UPLOADS = "tests/platform/uploads/test_uploads.py"

MUTANTS = (
    # Signing in.
    Mutant(
        "A password is guessed as often as one likes",
        "handlers/kit/throttle.py",
        "    if ready_at > tx.now:\n        raise RateLimited",
        "    if False:\n        raise RateLimited",
        ("tests/platform/auth/test_guesses.py",),
    ),
    Mutant(
        "A stolen password hash is cheap to guess",
        "handlers/platform/auth/passwords.py",
        '"memory_cost": 19 * 1024',
        '"memory_cost": 8',
        ("tests/platform/auth/test_cost.py",),
    ),
    Mutant(
        "The time of a sign-in tells whether an account exists",
        "handlers/platform/auth/passwords.py",
        "    right = await _in_thread(_verify, password_hash or _NOBODY, password)",
        "    right = bool(password_hash) and await _in_thread(_verify, password_hash, password)",
        (f"{SIGNING_IN}::test_logging_in_says_and_costs_the_same_for_known_and_unknown",),
    ),
    Mutant(
        "A pincode can be tried as often as one likes",
        "handlers/platform/pincodes/service.py",
        "        store.count_try(tx, mine.id)",
        "        pass",
        (SIGNING_IN,),
    ),
    Mutant(
        "A pincode works as long as one likes",
        "handlers/platform/pincodes/service.py",
        "    live = [row for row in unlocked if row.expires_at > tx.now]",
        "    live = unlocked",
        (f"{SIGNING_IN}::test_a_pincode_lives_ten_minutes",),
    ),
    Mutant(
        "An attacker signs a victim in to the attacker's account (OAuth state)",
        "storage/platform/identities.py",
        '        _a.browser_hash == bindparam("of_browser"),',
        '        bindparam("of_browser") == bindparam("of_browser"),',
        (OAUTH,),
    ),
    Mutant(
        "A sign-in that was begun in one app can be completed in another (PKCE)",
        "handlers/platform/identities/tickets.py",
        "    if row.challenge is not None and not _opens(row.challenge, verifier):",
        "    if False:",
        (OAUTH,),
    ),
    Mutant(
        "An ID token that was issued for another sign-in is accepted (nonce)",
        "handlers/platform/identities/openid.py",
        '                    "nonce": errand.nonce,\n',
        "",
        (OAUTH,),
    ),
    # People to each other.
    Mutant(
        "A blocked person writes to who blocked them",
        "handlers/platform/chat/service/blocks.py",
        "    if chat_blocks.is_block_between(tx, tx.actor.id, user_ids):",
        "    if False:",
        ("tests/platform/chat/test_blocks.py",),
    ),
    Mutant(
        "A message that moderators hid is still shown",
        "handlers/platform/chat/service/hiding.py",
        "    row.hidden = True",
        "    row.hidden = False",
        ("tests/platform/moderation/test_hiding.py",),
    ),
    Mutant(
        "A hidden message still stands in events that devices read again",
        "handlers/platform/chat/service/hiding.py",
        "    retract(tx, MessageHidden(message=message_view(row)))",
        "    tx.publish(MessageHidden(message=message_view(row)))",
        ("tests/platform/moderation/test_hiding.py",),
    ),
    Mutant(
        "A forbidden word is published",
        "handlers/platform/moderation/filter.py",
        '        if found.outcome == "refuse":',
        "        if False:",
        ("tests/platform/moderation/test_filter.py",),
    ),
    # Files and pages.
    Mutant(
        "A program is uploaded as a picture or a document",
        "handlers/platform/uploads/checks.py",
        "    if not is_what_it_says(row.content_type, looks):",
        "    if False:",
        (UPLOADS,),
    ),
    Mutant(
        "A file is kept though its bytes are not those that were announced",
        "storage/objects/folder.py",
        "            if (size, digest.hexdigest()) != (promise.size, promise.sha256):",
        "            if False:",
        (UPLOADS,),
    ),
    Mutant(
        "Anybody downloads a file, with a signature that they made up",
        "storage/objects/folder.py",
        "        right = secrets.compare_digest(",
        "        right = True or secrets.compare_digest(",
        (UPLOADS, "tests/platform/uploads/test_distrust.py"),
    ),
    Mutant(
        "A link in a message makes the server read its own network (SSRF)",
        "handlers/platform/previews/addresses.py",
        "    if not found.is_global or found.is_multicast or found.is_reserved:",
        "    if found.is_multicast or found.is_reserved:",
        (FETCH,),
    ),
    Mutant(
        "A redirect makes the server read its own network",
        "handlers/platform/previews/fetch.py",
        "allow_redirects=False",
        "allow_redirects=True",
        (FETCH,),
    ),
    # Personal data.
    Mutant(
        "Data of a deleted account stays",
        "handlers/platform/personal_data/service/erasure.py",
        "    after = steps[event.step].run(tx, event.user_id, event.after, AT_ONCE)",
        "    after = None",
        (ERASURE,),
    ),
    Mutant(
        "Data that was written while an account was deleted stays",
        "handlers/platform/personal_data/service/erasure.py",
        "    if event.round < LAST_ROUND:",
        "    if False:",
        ("tests/platform/personal_data/test_under_way.py",),
    ),
    Mutant(
        "An export shows what other people wrote",
        "storage/platform/personal_data/personal_rows.py",
        "    if author is None:",
        "    if True:",
        ("tests/platform/personal_data/test_exports.py",),
    ),
    Mutant(
        "An export that was begun on a stolen device can be fetched there",
        "handlers/platform/personal_data/service/exports.py",
        "    accounts.require_fresh_proof(tx)\n",
        "",
        ("tests/platform/personal_data/test_exports.py",),
    ),
    Mutant(
        "The address of somebody who never completed the sign-up is kept for ever",
        "handlers/platform/pincodes/retention.py",
        "    return store.forget_pincodes(tx, before, limit)",
        "    return 0",
        ("tests/server/test_housekeeping.py",),
    ),
)
