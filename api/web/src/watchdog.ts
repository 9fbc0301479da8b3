// Whether a stream is heard: what the page says of its connection.

/** After one missing event, what is shown may be old, though the connection may still be there. */
const QUIET_MS = 7_000;

/** `quiet`: an event is overdue. `stopped`: trying again would not help. */
export type Connection = "connecting" | "live" | "quiet" | "lost" | "stopped";

/** Tells once that a stream speaks, and once that it has become quiet. */
export class Watchdog {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private live = false;

  constructor(private readonly tell: (connection: Connection) => void) {}

  hear(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.live = false;
      this.tell("quiet");
    }, QUIET_MS);
    if (!this.live) this.tell("live");
    this.live = true;
  }

  end(): void {
    clearTimeout(this.timer);
  }
}
