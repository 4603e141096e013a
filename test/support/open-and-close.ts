import { readdirSync } from 'node:fs';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { EventSocket } from '../../pkg/netlink/events.ts';
import { getFamily } from '../../pkg/netlink/generic.ts';

// Opens everything that pkg/netlink can open in the namespace given, closes it, and prints how many descriptors were left. A test runs it
// as a process of its own, because other tests open descriptors too; that it ends by itself is part of the test.

const netns = process.argv[2];

/** libuv keeps descriptors of its own from the first poller on. */
function warmUp(): void {
  new EventSocket(0, { groups: [1], onMessage() {}, onOverflow() {} }).close();
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

warmUp();
const before = descriptors();
const connections = [openConnection(16), openConnection(16, { netns })];
const events = new EventSocket(0, { groups: [1], netns, onMessage() {}, onOverflow() {} });
for (const connection of connections.slice(1)) {
  await connection.list(getFamily, {}, 'list families');
}
const opened = descriptors() - before;
for (const { close } of [...connections, events].map((each) => ({ close: () => each.close() })))
  close();
process.stdout.write(`opened ${opened}, left ${descriptors() - before}\n`);
