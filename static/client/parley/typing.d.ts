/** Types of the payload, data and events of commands, derived from the generated contracts. */

import type { Commands, Events } from "../contracts.js";

export type Namespace = keyof Commands & string;
export type Command<N extends Namespace> = keyof Commands[N] & string;
export type Payload<N extends Namespace, C extends Command<N>> =
  Commands[N][C] extends { payload: infer P } ? P : never;
export type Data<N extends Namespace, C extends Command<N>> =
  Commands[N][C] extends { data: infer D } ? D : never;

export type Speaking = keyof Events & string;
export type EventName<N extends Speaking> = keyof Events[N] & string;
export type Heard<N extends Speaking, E extends EventName<N>> = Events[N][E];

export interface Meta { room?: string; seq?: number; id?: string; at?: string }

/** The library's own events, in addition to the server's. */
export interface OwnEvents {
  signed_in: { user: import("../contracts.js").User };
  signed_out: { reason: string };
  connection: { namespace: string; connected: boolean };
  unrecovered: { namespace: string; room: string; seq: number };
  watched: { namespace: string; payload: any; data: any };
}
export type OwnEvent = keyof OwnEvents;
