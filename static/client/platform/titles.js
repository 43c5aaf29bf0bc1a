/** The titles of conversations. */

import { nameOf } from "./people.js";
import { myId } from "../state.js";

/** @import { Conversation } from "../contracts.js" */

/** @param {Pick<Conversation, "member_ids">} chat */
export const otherOf = ({ member_ids }) => member_ids.find((id) => id !== myId()) ?? myId();

/** @param {Conversation} chat */
export const titleOf = (chat) =>
  chat.kind === "group" ? chat.name || "Group" : nameOf(otherOf(chat));
