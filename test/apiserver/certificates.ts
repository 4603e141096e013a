import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { addressBytes, parseAddress } from '../../pkg/ip/address.ts';

/** A certificate and its key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** The fields of a certificate. */
export interface CertificateOptions {
  readonly commonName: string;
  readonly organization?: string;
  /** DNS names and addresses that a server's certificate is for. */
  readonly hosts?: readonly string[];
  /** Milliseconds since 1970. */
  readonly notBefore?: number;
  readonly notAfter?: number;
}

const day = 86_400_000; // ms

/**
 * A certificate authority of our own. Node can read certificates but not make them; those few bytes of DER are
 * written here rather than by an `openssl` process for each.
 */
export class CertificateAuthority {
  readonly certificate: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;

  constructor(options: CertificateOptions) {
    const { key, publicKey } = newKey();
    this.#name = distinguishedName(options);
    this.#key = key;
    const parts = {
      subject: this.#name,
      publicKey,
      extensions: [basicConstraints(true)],
      ...validity(options),
    };
    this.certificate = this.#issue(parts);
  }

  /** A new key with a certificate of this authority: for a server if there are hosts, else for a client. */
  issue(options: CertificateOptions): KeyPair {
    const { key, publicKey } = newKey();
    const hosts = options.hosts ?? [];
    const extensions = [
      basicConstraints(false),
      ...(hosts.length === 0 ? [] : [subjectAltName(hosts)]),
    ];
    const certificate = this.#issue({
      subject: distinguishedName(options),
      publicKey,
      extensions,
      ...validity(options),
    });
    return { certificate, key: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }

  #issue(parts: {
    subject: Buffer;
    publicKey: Buffer;
    extensions: readonly Buffer[];
    notBefore: number;
    notAfter: number;
  }): string {
    const content = sequence(
      tagged(0xa0, integer(2)), // version 3
      unsigned(randomBytes(16)), // serial number
      ecdsaWithSha256,
      this.#name,
      sequence(time(parts.notBefore), time(parts.notAfter)),
      parts.subject,
      parts.publicKey,
      tagged(0xa3, sequence(...parts.extensions)),
    );
    const signature = sign('sha256', content, this.#key);
    const whole = sequence(content, ecdsaWithSha256, tagged(0x03, Buffer.of(0), signature));
    return pem('CERTIFICATE', whole);
  }
}

function newKey(): { key: KeyObject; publicKey: Buffer } {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const key = createPrivateKey(privateKey);
  return { key, publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }) };
}

function validity(options: CertificateOptions): { notBefore: number; notAfter: number } {
  const { notBefore = Date.now() - day, notAfter = Date.now() + 3650 * day } = options;
  return { notBefore, notAfter };
}

// DER, as far as it is needed: a tag, a length, the content.

function tagged(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  if (body.length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, body.length), body]);
  return Buffer.concat([Buffer.of(tag, 0x82, body.length >> 8, body.length & 0xff), body]);
}

function sequence(...content: readonly Uint8Array[]): Buffer {
  return tagged(0x30, ...content);
}

function integer(value: number): Buffer {
  return tagged(0x02, Buffer.of(value));
}

/** An integer that its first bit must not make negative. */
function unsigned(bytes: Buffer): Buffer {
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return tagged(0x02, bytes);
}

function identifier(...bytes: readonly number[]): Buffer {
  return tagged(0x06, Buffer.from(bytes));
}

function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  // RFC 5280: UTCTime until 2049, GeneralizedTime from then on.
  return digits < '2050'
    ? tagged(0x17, Buffer.from(digits.slice(2)))
    : tagged(0x18, Buffer.from(digits));
}

function distinguishedName({ commonName, organization }: CertificateOptions): Buffer {
  const attribute = (last: number, value: string) =>
    tagged(0x31, sequence(identifier(0x55, 0x04, last), tagged(0x0c, Buffer.from(value))));
  const named = attribute(3, commonName);
  return organization === undefined
    ? sequence(named)
    : sequence(attribute(10, organization), named);
}

const ecdsaWithSha256 = sequence(identifier(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)); // 1.2.840.10045.4.3.2

function basicConstraints(isAuthority: boolean): Buffer {
  const value = isAuthority ? sequence(tagged(0x01, Buffer.of(0xff))) : sequence();
  return sequence(identifier(0x55, 0x1d, 0x13), tagged(0x01, Buffer.of(0xff)), tagged(0x04, value)); // 2.5.29.19, critical
}

function subjectAltName(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) => {
    const address = parseAddress(host);
    return address === undefined
      ? tagged(0x82, Buffer.from(host))
      : tagged(0x87, addressBytes(address));
  });
  return sequence(identifier(0x55, 0x1d, 0x11), tagged(0x04, sequence(...names))); // 2.5.29.17
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
