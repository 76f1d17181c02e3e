// Fields of an object that are made when somebody asks for one of them: the SDK takes what `currentRequest()` tells whether or not
// the app looks at it, and to make it from a large text takes long. Once an app was seen to look, it is made ahead, in slices.

let areRead = false;

/** Whether somebody asked for such a field since the process began. */
export const areLateFieldsRead = (): boolean => areRead;

/** Adds fields to `target` whose values `make` gives, all of them when the first is asked for. */
export function addLateFields(
  target: Record<string, unknown>,
  names: readonly string[],
  make: () => Record<string, unknown>,
): void {
  const fix = (name: string, value: unknown): void =>
    void Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  const fixAll = (): void => {
    const made = make();
    for (const name of names) fix(name, made[name]);
  };
  for (const name of names) {
    Object.defineProperty(target, name, {
      enumerable: true,
      configurable: true,
      get() {
        areRead = true;
        fixAll();
        return target[name];
      },
      set(value: unknown) {
        fixAll();
        fix(name, value);
      },
    });
  }
}
