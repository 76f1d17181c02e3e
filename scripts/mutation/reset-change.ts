// Before each suite: no change is in force while modules are loaded. A kept thread still has the one of its last run.
const stryker = (globalThis as { __stryker__?: { activeMutant?: string } }).__stryker__;
if (stryker !== undefined) delete stryker.activeMutant;
