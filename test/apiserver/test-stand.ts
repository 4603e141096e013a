import { type ManualClock, manualClock } from '../../pkg/runner/manual-clock.ts';
import { type ApiServer, startApiServer } from './apiserver.ts';
import { service } from './samples.ts';
import { TestClient } from './test-client.ts';

/** The query of a watch that asks for what there is as events. */
export const streaming = {
  sendInitialEvents: 'true',
  resourceVersionMatch: 'NotOlderThan',
  allowWatchBookmarks: 'true',
};

/** A server with a client, and time in the test's hands. */
export interface TestStand {
  readonly clock: ManualClock;
  readonly server: ApiServer;
  readonly client: TestClient;
}

/** Starts a server that has the Services `a` and `b`. */
export async function startStand(): Promise<TestStand> {
  const clock = manualClock();
  const server = await startApiServer({ tls: false, clock });
  for (const name of ['a', 'b']) server.create(service(name));
  return { clock, server, client: new TestClient(server) };
}

/** Ends all of it. */
export async function stopStand({ server, client }: TestStand): Promise<void> {
  client[Symbol.dispose]();
  await server.close();
}
