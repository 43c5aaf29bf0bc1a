/** The fields of each view according to the protocol, and the pincode in a mail. */

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { hasFields } from "./device.mjs";

const words = (text) => text.split(" ");
const FIELDS = {
  Session: words("access_token access_expires_in_s refresh_token device_token user"),
  User: words("id email email_verified first_name last_name language time_zone roles settings " +
    "picture_id created_at updated_at"),
  Consultant: words("id first_name last_name about_me languages country time_zone age gender " +
    "profile_picture_url status available_now topics"),
  Topic: words("id consultant_id name description hourly_rate minimal_duration_minutes " +
    "icon_url active"),
  Block: words("id consultant_id starts_at ends_at max_calls taken status"),
  Booking: words("id student_id consultant_id topic_id block_id starts_at ends_at status note " +
    "topic_name reason hourly_rate minimal_duration_minutes hold_expires_at version attended " +
    "terms fee_percent"),
  Conversation: words("id kind name picture_id member_ids owner_ids seq read delivered"),
  Message: words("id conversation_id seq sender_id client_id kind text card sent_at edited_at " +
    "deleted media reply_to mentions reactions preview hidden"),
  Place: words(
    "booking_id block_id student_id position ahead eta_s entered_at away",
  ),
  Call: words("id booking_id consultant_id student_id status provider ice_servers started_at " +
    "ended_at end_reason talked_s"),
  Notification: words("id kind title body link data created_at read_at about_id"),
};

/** Returns `view` after checking that it has exactly the fields of `kind` and these values. */
export function is(kind, view, values = {}, more = []) {
  hasFields(view, [...FIELDS[kind], ...more]);
  const found = Object.fromEntries(Object.keys(values).map((name) => [name, view[name]]));
  assert.deepEqual(found, values);
  return view;
}

/** The pincode of the newest mail to an address, from the folder of mails. */
export async function pincode(folder, address) {
  for (;;) {
    const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".eml"));
    for (const file of files.sort().reverse()) {
      const mail = await readFile(join(folder, file), "utf8");
      const found = mail.includes(`To: ${address}`) && /^Subject: .*pincode/m.test(mail) &&
        /\b(\d{6})\b/.exec(mail.slice(mail.search(/\r?\n\r?\n/)));
      if (found) return found[1];
    }
    await pause(10);
  }
}
