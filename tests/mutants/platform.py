"""Mutants of the platform's domains."""

from tests.mutants.mutant import Mutant

ERASURE = "tests/platform/personal_data/test_erasure.py"
FETCH = "tests/platform/previews/test_fetch.py"
INVISIBLE = "tests/platform/presence/test_invisible.py"
OAUTH = "tests/platform/identities/test_oauth.py"
SIGNING_IN = "tests/server/test_signing_in.py"
UPLOADS = "tests/platform/uploads/test_uploads.py"

MUTANTS = (
    # Signing in.
    Mutant(
        "A password can be guessed any number of times",
        "handlers/kit/throttle.py",
        "    if ready_at > tx.now:\n        raise RateLimited",
        "    if False:\n        raise RateLimited",
        (
            "tests/platform/auth/test_guesses.py"
            "::test_wait_times_of_strangers_double_across_ip_addresses",
        ),
    ),
    Mutant(
        "A stolen password hash is cheap to guess",
        "handlers/platform/auth/passwords.py",
        '"memory_cost": 19 * 1024',
        '"memory_cost": 8',
        ("tests/platform/auth/test_cost.py",),
    ),
    Mutant(
        "The duration of a sign-in shows whether an account exists",
        "handlers/platform/auth/passwords.py",
        "    right = await _in_thread(_verify_any, password_hash or _NOBODY, *_forms_of(password))",
        "    right = bool(password_hash) and await _in_thread(\n"
        "        _verify_any, password_hash, *_forms_of(password)\n"
        "    )",
        (f"{SIGNING_IN}::test_logging_in_has_the_same_answer_and_cost_for_unknown_accounts",),
    ),
    Mutant(
        "A pincode can be guessed any number of times",
        "handlers/platform/pincodes/service.py",
        "        store.count_try(tx, mine.id)",
        "        pass",
        (f"{SIGNING_IN}::test_five_wrong_tries_invalidate_a_pincode",),
    ),
    Mutant(
        "A pincode never expires",
        "handlers/platform/pincodes/service.py",
        "    live = [row for row in unlocked if row.expires_at > tx.now]",
        "    live = unlocked",
        (f"{SIGNING_IN}::test_a_pincode_is_valid_for_ten_minutes",),
    ),
    Mutant(
        "An attacker signs a victim in to the attacker's account (OAuth state)",
        "storage/platform/identities.py",
        '        _a.browser_hash.in_(bindparam("of_browsers", expanding=True)),',
        '        _a.browser_hash.in_(bindparam("of_browsers", expanding=True))\n'
        "        | (_a.browser_hash == _a.browser_hash),",
        (f"{OAUTH}::test_a_state_is_valid_once_in_its_own_browser_for_ten_minutes",),
    ),
    Mutant(
        "A sign-in that was started in one app can be completed in another (PKCE)",
        "handlers/platform/identities/tickets.py",
        "    if row.challenge is not None and not _opens(row.challenge, verifier):",
        "    if False:",
        (f"{OAUTH}::test_a_ticket_with_a_challenge_needs_its_verifier",),
    ),
    Mutant(
        "An ID token of another sign-in is accepted (nonce)",
        "handlers/platform/identities/openid.py",
        '                    "nonce": request.nonce,\n',
        "",
        (f"{OAUTH}::test_an_id_token_with_a_wrong_claim_is_refused",),
    ),
    # People to each other.
    Mutant(
        "A blocked user adds the blocker to a group",
        "handlers/platform/chat/service/blocks.py",
        "    if blocking.is_block_between(tx, tx.actor.id, user_ids):",
        "    if False:",
        (
            "tests/platform/chat/test_blocks.py"
            "::test_a_block_prevents_new_conversations_and_adding_to_groups",
        ),
    ),
    Mutant(
        "A blocked user gets the picture of the blocker",
        "handlers/platform/profile/service.py",
        "None if row.id in blockers else row.picture_id",
        "row.picture_id",
        (
            "tests/platform/profile/test_profile.py"
            "::test_a_blocked_user_gets_the_name_and_not_the_picture",
        ),
    ),
    Mutant(
        "Watchers see the devices of an invisible user come and go",
        "handlers/platform/presence/service.py",
        "    if row.invisible:\n        _keep_unseen(tx, row)\n        return\n",
        "",
        (f"{INVISIBLE}::test_devices_that_connect_and_leave_change_nothing_that_others_see",),
    ),
    Mutant(
        "The typing of an invisible user shows",
        "handlers/platform/chat/service/members.py",
        "    if presences.is_invisible(tx, tx.actor.id):",
        "    if False:",
        (f"{INVISIBLE}::test_typing_and_delivery_marks_do_not_show_an_invisible_user",),
    ),
    Mutant(
        "A hidden message is still shown",
        "handlers/platform/chat/service/hiding.py",
        "    row.hidden = True",
        "    row.hidden = False",
        (
            "tests/platform/moderation/test_hiding.py"
            "::test_a_hidden_text_is_stored_only_in_its_message_row",
        ),
    ),
    Mutant(
        "A hidden message is still in replayed events",
        "handlers/platform/chat/service/hiding.py",
        "    retract(tx, MessageHidden(message=message_view(row)))",
        "    tx.publish(MessageHidden(message=message_view(row)))",
        (
            "tests/platform/moderation/test_hiding.py"
            "::test_a_hidden_text_is_stored_only_in_its_message_row",
        ),
    ),
    Mutant(
        "A forbidden word is published",
        "handlers/platform/moderation/filter.py",
        '        if found.outcome == "refuse":',
        "        if False:",
        ("tests/platform/moderation/test_filter.py::test_refused_texts_are_not_stored",),
    ),
    # Files and pages.
    Mutant(
        "An executable is accepted as a picture or a document",
        "handlers/platform/uploads/checks.py",
        "    if not matches_type(row.content_type, guessed):",
        "    if False:",
        (f"{UPLOADS}::test_an_upload_with_the_wrong_type_is_deleted",),
    ),
    Mutant(
        "A file whose content does not match its checksum is kept",
        "storage/objects/folder.py",
        "            if (size, digest.hexdigest()) != (promise.size, promise.sha256):",
        "            if False:",
        (f"{UPLOADS}::test_a_put_that_differs_from_its_signature_stores_nothing",),
    ),
    Mutant(
        "A forged signature downloads a file",
        "storage/objects/folder.py",
        "        right = secrets.compare_digest(",
        "        right = True or secrets.compare_digest(",
        (
            f"{UPLOADS}::test_a_signed_request_is_valid_for_five_minutes",
            "tests/platform/uploads/test_distrust.py"
            "::test_a_signed_url_with_other_parameter_boundaries_is_refused",
        ),
    ),
    Mutant(
        "A link in a message makes the server send requests to its own network (SSRF)",
        "handlers/platform/previews/addresses.py",
        "    if not found.is_global or found.is_multicast or found.is_reserved:",
        "    if found.is_multicast or found.is_reserved:",
        (f"{FETCH}::test_special_purpose_addresses_are_not_public",),
    ),
    Mutant(
        "A redirect makes the server send requests to its own network",
        "handlers/platform/previews/fetch.py",
        "allow_redirects=False",
        "allow_redirects=True",
        (f"{FETCH}::test_redirects_are_not_followed",),
    ),
    # Personal data.
    Mutant(
        "Data of a deleted account is kept",
        "handlers/platform/personal_data/service/erasure.py",
        "    after = steps[event.step].run(tx, event.user_id, event.after, STEP_BATCH)",
        "    after = None",
        (f"{ERASURE}::test_an_erasure_leaves_no_data_of_the_user_and_keeps_data_of_others",),
    ),
    Mutant(
        "Data that was written during the deletion of an account is kept",
        "handlers/platform/personal_data/service/erasure.py",
        "    if event.round < LAST_ROUND:",
        "    if False:",
        (
            "tests/platform/personal_data/test_under_way.py"
            "::test_data_stored_by_a_command_after_the_erasure_is_erased_later",
        ),
    ),
    Mutant(
        "An export contains texts of other users",
        "storage/platform/personal_data/personal_rows.py",
        "    if author is None:",
        "    if True:",
        (
            "tests/platform/personal_data/test_exports.py"
            "::test_an_export_contains_all_data_of_the_user_and_none_of_others",
        ),
    ),
    Mutant(
        "An export that was requested on a stolen device can be downloaded there",
        "handlers/platform/personal_data/service/exports.py",
        "    accounts.require_fresh_proof(tx)\n",
        "",
        (
            "tests/platform/personal_data/test_exports.py"
            "::test_an_export_needs_a_fresh_proof_and_is_private",
        ),
    ),
    Mutant(
        "The address of an unfinished sign-up is kept for ever",
        "handlers/platform/pincodes/retention.py",
        "    return store.forget_pincodes(tx, before, limit)",
        "    return 0",
        (
            "tests/server/test_housekeeping.py"
            "::test_the_address_of_an_unfinished_sign_up_is_deleted_within_hours",
        ),
    ),
)
