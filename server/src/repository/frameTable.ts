/** A frame: offset and length in the stored file, offset and length in the uncompressed tar stream, bytes. */
export type IndexFrame = readonly [storedOffset: number, storedLength: number, tarOffset: number, tarLength: number];

/** The frames of an archive, in order. A plain list is one as well. */
export interface FrameList extends Iterable<IndexFrame> {
  readonly length: number;
  at(position: number): IndexFrame | undefined;
}

/** Frames of a block: offsets are kept once for all of them. */
const blockFrames = 256;

/** The longest frame, either way, bytes. */
export const longestFrame = 0xffff_ffff;

interface Block {
  readonly storedOffset: number;
  readonly tarOffset: number;
  /** Stored length and tar length in turn. */
  readonly lengths: Uint32Array;
}

/** Frames that follow each other without gaps, in eight bytes each: an archive of 10 TB has millions of them. */
export class FrameTable implements FrameList {
  readonly #blocks: Block[] = [];
  #length = 0;
  #storedBytes = 0;
  #tarBytes = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes of all frames as they are stored. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** Bytes of all frames in the tar stream. */
  get tarBytes(): number {
    return this.#tarBytes;
  }

  /** Adds the next frame; both lengths are at most `longestFrame`. */
  append(storedLength: number, tarLength: number): void {
    const position = this.#length % blockFrames;
    let block = this.#blocks.at(-1);
    if (block === undefined || position === 0) {
      const lengths = new Uint32Array(2 * blockFrames);
      block = { storedOffset: this.#storedBytes, tarOffset: this.#tarBytes, lengths };
      this.#blocks.push(block);
    }
    block.lengths[2 * position] = storedLength;
    block.lengths[2 * position + 1] = tarLength;
    this.#length += 1;
    this.#storedBytes += storedLength;
    this.#tarBytes += tarLength;
  }

  /** Makes the last frame longer as it is stored; without any frame nothing happens. */
  extendLast(storedLength: number): void {
    const block = this.#blocks.at(-1);
    if (block === undefined) return;
    const index = 2 * ((this.#length - 1) % blockFrames);
    block.lengths[index] = (block.lengths[index] ?? 0) + storedLength;
    this.#storedBytes += storedLength;
  }

  at(position: number): IndexFrame | undefined {
    const block = this.#blocks[Math.floor(position / blockFrames)];
    if (block === undefined || !(position < this.#length)) return undefined;
    const last = position % blockFrames;
    let { storedOffset, tarOffset } = block;
    for (let before = 0; before < last; before += 1) {
      storedOffset += block.lengths[2 * before] ?? 0;
      tarOffset += block.lengths[2 * before + 1] ?? 0;
    }
    return [storedOffset, block.lengths[2 * last] ?? 0, tarOffset, block.lengths[2 * last + 1] ?? 0];
  }

  *[Symbol.iterator](): Generator<IndexFrame, void> {
    let left = this.#length;
    for (const { storedOffset, tarOffset, lengths } of this.#blocks) {
      let [inFile, inTar] = [storedOffset, tarOffset];
      const frames = Math.min(blockFrames, left);
      left -= frames;
      for (let frame = 0; frame < frames; frame += 1) {
        const [stored, tar] = [lengths[2 * frame] ?? 0, lengths[2 * frame + 1] ?? 0];
        yield [inFile, stored, inTar, tar];
        inFile += stored;
        inTar += tar;
      }
    }
  }
}
