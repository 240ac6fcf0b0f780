/**
 * Hooks: functions of the configuration file that run at certain moments of the server's life. A function
 * under one of these names is a hook; under any other it is a mistake.
 */

/** The hooks a configuration file may have. */
// biome-ignore lint/suspicious/noEmptyInterface: the hooks come with what calls them
export interface Hooks {}

export const HOOK_NAMES: readonly (keyof Hooks)[] = [];
