/** Characters after which text becomes a piece of its own. */
const pieceCharacters = 64 * 1024;

/** Text that one side appends to while the other consumes it as UTF-8. What is not consumed yet is kept. */
export class GrowingText implements AsyncIterable<Uint8Array> {
  readonly #pieces: Buffer[] = [];
  #text = '';
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  append(text: string): void {
    this.#text += text;
    if (this.#text.length >= pieceCharacters) this.#cut();
  }

  end(): void {
    this.#ended = true;
    this.#cut();
  }

  fail(reason: Error): void {
    this.#failure ??= reason;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const piece = this.#pieces.shift();
      if (piece !== undefined) yield piece;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #cut(): void {
    if (this.#text !== '') this.#pieces.push(Buffer.from(this.#text, 'utf8'));
    this.#text = '';
    this.#wake?.();
  }
}
