import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** The addresses seen at both ends of a connection. */
export interface SeenAddresses {
  /** Ours, as the server sees it. */
  readonly client: string;
  /** The server's, as it sees itself. */
  readonly server: string | undefined;
  /** The server's, as we reach it; another one when a port is published or translated. */
  readonly connectedTo: string | undefined;
  /** Whether we run inside a container ourselves. */
  readonly inContainer: boolean;
}

/** Addresses a line of pg_hba.conf may name. */
export interface AddressChoice {
  readonly cidr: string;
  /** `container-network`: any container of the network, since each start may give another address. */
  readonly covers: 'this-address' | 'container-network';
}

/** The pools that Docker and Podman take networks from by default, with the size of a network. */
const containerPools: readonly { readonly pool: string; readonly poolBits: number; readonly networkBits: number }[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ pool: `172.${17 + index}.0.0`, poolBits: 16, networkBits: 16 })),
  { pool: '192.168.0.0', poolBits: 16, networkBits: 20 },
  { pool: '10.88.0.0', poolBits: 16, networkBits: 16 },
  { pool: '10.89.0.0', poolBits: 16, networkBits: 24 },
];

/** The addresses to offer for a client, the recommended one first. */
export function addressChoices(seen: SeenAddresses): readonly AddressChoice[] {
  const single: AddressChoice = { cidr: singleAddress(seen.client), covers: 'this-address' };
  const network = containerNetwork(seen);
  return network === undefined ? [single] : [{ cidr: network, covers: 'container-network' }, single];
}

/** A single address as CIDR; a zone is left out, since pg_hba.conf knows none. */
export function singleAddress(address: string): string {
  const bare = address.replace(/%.*$/, '');
  return isIPv6(bare) ? `${bare}/128` : `${bare}/32`;
}

/**
 * The container network both ends are in, as far as it can be told: the server's own address differs from the one we
 * reach it by (a published port) or we are in a container ourselves, and both addresses are of one network of a pool.
 * When the server could not be asked, the gateway address of one of Docker's own networks is enough.
 */
function containerNetwork({ client, server, connectedTo, inContainer }: SeenAddresses): string | undefined {
  if (!isIPv4(client)) return undefined;
  const pool = containerPools.find((candidate) => contains(candidate.pool, candidate.poolBits, client));
  if (pool === undefined) return undefined;
  const network = networkOf(client, pool.networkBits);
  const cidr = `${network}/${pool.networkBits}`;
  if (server !== undefined) {
    const translated = connectedTo !== undefined && connectedTo !== server;
    const together = isIPv4(server) && contains(network, pool.networkBits, server);
    return together && (translated || inContainer) ? cidr : undefined;
  }
  return pool.networkBits === 16 && client === network.replace(/\.0$/, '.1') ? cidr : undefined;
}

function contains(network: string, bits: number, address: string): boolean {
  const list = new BlockList();
  list.addSubnet(network, bits, 'ipv4');
  return list.check(address, 'ipv4');
}

function networkOf(address: string, bits: number): string {
  const number = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const start = number - (number % 2 ** (32 - bits));
  return [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join('.');
}
