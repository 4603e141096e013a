import { X509Certificate } from 'node:crypto';
import { CertificateAuthority } from '@kube-proxy-ipvs/test-apiserver/certificates';
import { expect, test } from 'vitest';
import { noMetrics } from '../metrics.ts';
import { PluginCertificate } from './plugin-certificate.ts';

const authority = new CertificateAuthority({ commonName: 'authority' });
const { certificate } = authority.issue({ commonName: 'one' });
const { validFromDate, validToDate } = new X509Certificate(certificate);

/** A recorder at a time so many seconds after the certificate began to be valid. */
function recording(seconds: number): { use: PluginCertificate; counted: unknown[] } {
  const counted: unknown[] = [];
  const clock = { wallClock: () => validFromDate.getTime() + seconds * 1000 };
  const metrics = {
    ...noMetrics,
    pluginCertificate: (expires: number | undefined) => void counted.push({ expires }),
    pluginCertificateRotated: (age: number) => void counted.push({ age }),
  };
  return { use: new PluginCertificate(clock, metrics), counted };
}

const expires = validToDate.getTime();

test('a certificate counts once, however often it is used', () => {
  const { use, counted } = recording(600);
  use.use(certificate);
  use.use(certificate);
  expect(counted).toEqual([{ expires }]);
});

test('one that takes the place of another tells how old that was', () => {
  const { use, counted } = recording(600);
  use.use(certificate);
  use.use(authority.issue({ commonName: 'two' }).certificate);
  expect(counted.slice(0, 2)).toEqual([{ expires }, { age: 600 }]);
  expect(counted).toHaveLength(3);
});

test('a token in its place ends it', () => {
  const { use, counted } = recording(600);
  use.use(certificate);
  use.use(undefined);
  use.use(undefined);
  expect(counted).toEqual([{ expires }, { age: 600 }, { expires: undefined }]);
});

test('a certificate that cannot be parsed counts as none', () => {
  const { use, counted } = recording(600);
  use.use('garbage');
  use.use(certificate);
  expect(counted).toEqual([{ expires: undefined }, { expires }]);
});
