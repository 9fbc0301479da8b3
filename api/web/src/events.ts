// Server-sent events as text: cut into events, wherever the chunks end that it arrives in. Pure.

export interface ServerEvent {
  event: string;
  /** A JSON text. */
  data: string;
}

/** Reads a stream's text. What a stream leaves unfinished at its end is no event. */
export class EventReader {
  private line = "";
  private event = "";
  private id = "";
  private data: string[] = [];
  private afterReturn = false;

  /** Take the next chunk; return the events that it ends, with what a client sends to resume. */
  read(chunk: string): (ServerEvent & { id: string })[] {
    if (chunk === "") return [];
    // A CR may end one chunk and its LF begin the next.
    const fresh = this.afterReturn && chunk.startsWith("\n") ? chunk.slice(1) : chunk;
    this.afterReturn = chunk.endsWith("\r");
    const lines = fresh.split(/\r\n|\r|\n/);
    const last = lines.pop()!;
    const found = [];
    for (const line of lines) {
      const event = this.take(this.line + line);
      this.line = "";
      if (event !== null) found.push(event);
    }
    this.line += last;
    return found;
  }

  private take(line: string): (ServerEvent & { id: string }) | null {
    if (line === "") return this.end();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.data.push(value);
    else if (name === "event") this.event = value;
    else if (name === "id") this.id = value;
    return null;
  }

  private end(): (ServerEvent & { id: string }) | null {
    const { event, id, data } = this;
    this.event = "";
    this.id = "";
    this.data = [];
    if (data.length === 0) return null;
    return { event: event === "" ? "message" : event, id, data: data.join("\n") };
  }
}
