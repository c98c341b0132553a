// Images and their planes, asked of the host when they are first looked at, and kept.
import { photograph } from "./drawing.js";
import { RegionGraph } from "./graph.js";
import { HintNetwork } from "./network.js";
import { sum } from "./numbers.js";
import { HintReader } from "./reader.js";
import { Tree, asDoubles } from "./tree.js";
import { isVolume, viewOf } from "./views.js";

const KEPT_BYTES = 2 ** 28;     // of planes
const BYTES_PER_PIXEL = 11;     // of a plane with all that it has

export class Images {
  #host;
  #images = new Map();
  #network = new Map();
  #planes = new Map();
  #planeBytes = 0;
  loaded = [];                  // those images that have arrived, by number

  constructor(host) {
    this.#host = host;
  }

  // A promise of an image; one that failed is asked for anew next time.
  image(index) {
    return remember(this.#images, index, async () => {
      const network = remember(this.#network, 0, async () => new HintNetwork(await this.#host.network()));
      return this.#arrived(...await Promise.all([this.#host.image(index), network]), index);
    });
  }

  // Images with equal trees get one and the same, so that a mark in one means something in the other.
  #arrived(facts, network, index) {
    const made = new Tree(facts.tree), equal = this.loaded.find(image => image?.tree.equals(made));
    const { structures, shape, hints, counts } = facts, tree = equal ? equal.tree : made;
    const image = {
      ...facts,
      tree,
      reader: new HintReader(new RegionGraph(hints, tree, counts, shape), network),
      structures: { ...structures, born: asDoubles(structures.born), ended: asDoubles(structures.ended) },
      spatial: shape.slice(-2),
      views: isVolume(facts) ? [0, 1, 2].map(axis => viewOf(facts, axis)) : [viewOf(facts)],
      depth: isVolume(facts) ? shape[0] : 1,
      pixelCount: sum(facts.counts),
    };
    this.loaded[index] = image;
    return image;
  }

  // A promise of a plane across an axis: what the host gave of it, and `photograph`, to be drawn.
  plane(index, z, axis = 0) {
    const key = `${index}/${axis}/${z}`;
    if (!this.#planes.has(key)) this.#makeRoom();
    return remember(this.#planes, key, async () => {
      const [image, plane] = await Promise.all([this.image(index), this.#host.plane(index, z, axis)]);
      this.#planeBytes = BYTES_PER_PIXEL * plane.map.length;
      return { ...plane, photograph: photograph(plane.image, ...image.views[axis].spatial) };
    });
  }

  #makeRoom() {
    for (const oldest of this.#planes.keys())
      if (this.#planes.size * this.#planeBytes > KEPT_BYTES) this.#planes.delete(oldest);
  }
}

function remember(store, key, make) {
  if (!store.has(key)) {
    const promise = make();
    promise.catch(() => store.delete(key));
    store.set(key, promise);
  }
  return store.get(key);
}
