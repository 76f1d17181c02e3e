// Work on a large text or value that gives way. Readers and writers of containers are written once, as plain recursive
// functions; at their elements they ask their pace whether to go on. Told no, each returns PAUSED to the one that called it, after
// leaving with the pace what it needs to go on (its frame), the innermost first. Called again, each takes its frame back, the
// outermost first, and goes on where it was. Whoever is not paced (`UNPACED`) is never told no, and pays a subtraction an element.

/** What a paced function returns when it is to be called again. */
export const PAUSED: unique symbol = Symbol("paused");
export type Paused = typeof PAUSED;

/** Elements between two looks at the clock. Each of them may be a date, an address, or a kilobyte. */
const STEPS = 128;

export class Pace {
  /** Whether functions that are called have a frame to go on from. */
  isResuming = false;
  /** Longer texts are refused: one text is written in one go. */
  textCharsMax = Infinity;
  private readonly frames: unknown[] = [];
  private steps = Infinity;
  private deadline = Infinity;

  /** Counts one element; whether to pause behind it. Never before the frames of the last pause have been taken. */
  isDue(): boolean {
    return --this.steps < 0 && this.isLate();
  }

  /** Counts what one element cost besides: a long text is like many elements. */
  spend(steps: number): void {
    this.steps -= steps;
  }

  private isLate(): boolean {
    this.steps = STEPS;
    return performance.now() >= this.deadline;
  }

  /** Begins a slice of work that ends at `deadline` (`performance.now()`). */
  begin(deadline: number): void {
    this.steps = STEPS;
    this.deadline = deadline;
  }

  /** Begins a first slice of so many elements, whatever they take. */
  beginWith(steps: number, textCharsMax = Infinity): void {
    this.textCharsMax = textCharsMax;
    this.steps = steps;
    this.deadline = -Infinity;
  }

  /** Leaves the frame of a function, which then returns the answer. */
  pause(frame: unknown): Paused {
    this.frames.push(frame);
    this.isResuming = true;
    return PAUSED;
  }

  /** The frame that the function left. */
  resume<Frame>(): Frame {
    const frame = this.frames.pop() as Frame;
    this.isResuming = this.frames.length > 0;
    return frame;
  }
}

/** For work that is done at once. Shared: nobody pauses in it. */
export const UNPACED = new Pace();

/** The value of work that was not paced. */
export function whole<T>(value: T | Paused): T {
  if (value === PAUSED) throw new Error("work that has no pace paused");
  return value;
}
