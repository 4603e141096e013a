/**
 * How long a test waits for what must come, in milliseconds: so long that only what never comes is missed, however slow and
 * busy the machine.
 */
export const patience = 120_000;

/** How long a test waits where nothing should come: short, as a slow machine can only make it silent for longer. */
export const silence = 400;
