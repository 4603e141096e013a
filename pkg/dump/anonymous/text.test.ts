import { describe, expect, test } from 'vitest';
import type { Basis } from './basis.ts';
import { replaceMetric } from './metrics.ts';
import { replaceRule } from './rules.ts';
import { replaceAddresses, replaceText } from './text.ts';

/** Names what it is asked for, so that a test sees it. */
const basis: Basis = {
  address: (address) => `<${address}>` as typeof address,
  network: ({ address, length }) => ({ address: `<${address}>` as typeof address, length }),
  name: (kind, name) => `<${kind} ${name}>`,
  word: (word) => (['shop', 'web-1', 'cafe'].includes(word) ? `<${word}>` : undefined),
};

describe('addresses in a text', () => {
  test.each([
    ['10.0.0.1', '<10.0.0.1>'],
    ['10.0.0.1:80', '<10.0.0.1>:80'],
    ['10.0.0.0/8', '<10.0.0.0>/8'],
    ['10.0.0.1/8', '<10.0.0.1>/8'],
    ['x10.0.0.1y', 'x<10.0.0.1>y'],
    ['10.0.0.1/80', '<10.0.0.1>/80'],
    ['10.0.0.1-10.0.0.9', '<10.0.0.1>-<10.0.0.9>'],
    ['[fd00::1]:80', '[<fd00::1>]:80'],
    ['fd00::/8', '<fd00::>/8'],
    ['k:fd00::1', 'k:<fd00::1>'],
    ['::ffff:10.0.0.1', '<10.0.0.1>'],
    ['02:42:ac:11:00:02', '<hardware 02:42:ac:11:00:02>'],
    ['at 12:30:59', 'at 12:30:59'],
    ['v1.2.3', 'v1.2.3'],
    ['0x4000/0x4000', '0x4000/0x4000'],
  ])('%s', (text, expected) => {
    expect(replaceAddresses(text, basis)).toBe(expected);
  });
});

describe('a text for people', () => {
  test.each([
    ['service="shop/web-1"', 'service="<shop>/<web-1>"'],
    ['pod web-1-7d9f of shop.svc', 'pod <web-1>-7d9f of <shop>.svc'],
    ['workshop', 'workshop'],
    ['cafe:80:1', '<cafe>:80:1'],
    ['https://api.acme.io:6443', 'https://<host api.acme.io>:6443'],
    ['ipvs.kube-proxy.io/drain-timeout', 'ipvs.kube-proxy.io/drain-timeout'],
    ['open /home/alice/kube.conf: ENOENT', 'open <path /home/alice/kube.conf>: ENOENT'],
    ['write 1 to /proc/sys/net/ipv4/vs/conntrack', 'write 1 to /proc/sys/net/ipv4/vs/conntrack'],
    ['to 10.0.0.1 of shop', 'to <10.0.0.1> of <shop>'],
  ])('%s', (text, expected) => {
    expect(replaceText(text, basis)).toBe(expected);
  });
});

describe('a line of rules', () => {
  test.each([
    ['*nat', '*<table nat>'],
    [':KUBE-SERVICES - [0:0]', ':<chain KUBE-SERVICES> - [0:0]'],
    ['COMMIT', 'COMMIT'],
    ['# made by Alice', '#'],
    [
      "# Table `raw' is incompatible, use 'nft' tool.",
      "# Table `raw' is incompatible, use 'nft' tool.",
    ],
    [
      '-A INPUT -s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j DROP',
      '-A <chain INPUT> -s <10.0.0.1>/32 -p tcp -m tcp --dport 80 -j <chain DROP>',
    ],
    [
      '[1:2] -A INPUT ! -i eth0 -g acme',
      '[1:2] -A <chain INPUT> ! -i <device eth0> -g <chain acme>',
    ],
    [
      '-A X -m set --match-set acme src,dst -j Y',
      '-A <chain X> -m set --match-set <set acme> src,dst -j <chain Y>',
    ],
    [
      '-A X -m comment --comment "kubernetes service portals" -j Y',
      '-A <chain X> -m comment --comment "kubernetes service portals" -j <chain Y>',
    ],
    [
      `-A X -m comment --comment "Kubernetes nodeport SCTP port for masquerade purpose with type \\'hash ip:port\\'" -j Y`,
      `-A <chain X> -m comment --comment "Kubernetes nodeport SCTP port for masquerade purpose with type \\'hash ip:port\\'" -j <chain Y>`,
    ],
    [
      '-A X -m comment --comment "shop/web:http cluster IP" -j Y',
      '-A <chain X> -m comment --comment "<namespace shop>/<service web>:<port http> cluster IP" -j <chain Y>',
    ],
    [
      '-A X -m comment --comment "shop/web -> 10.0.1.2:80" -j Y',
      '-A <chain X> -m comment --comment "<namespace shop>/<service web> -> <10.0.1.2>:80" -j <chain Y>',
    ],
    [
      '-A X -m comment --comment "for Alice" -j Y',
      '-A <chain X> -m comment --comment "<comment for Alice>" -j <chain Y>',
    ],
    [
      '-A X -m comment --comment -j -j Y',
      '-A <chain X> -m comment --comment <comment -j> -j <chain Y>',
    ],
    [
      '-A X -j LOG --log-prefix "acme: " --log-level 4',
      '-A <chain X> -j <chain LOG> --log-prefix "<value acme: >" --log-level 4',
    ],
    [
      '-A X -j DNAT --to-destination 10.0.0.7:80',
      '-A <chain X> -j <chain DNAT> --to-destination <10.0.0.7>:80',
    ],
    [
      '-A X -m string --string acme --algo bm -j Y',
      '-A <chain X> -m string --string <value acme> --algo <value bm> -j <chain Y>',
    ],
  ])('%s', (line, expected) => {
    expect(replaceRule(line, basis)).toBe(expected);
  });
});

describe('a line of metrics', () => {
  test.each([
    ['# HELP shop of shop', '# HELP shop of shop'],
    ['shop_total{kind="shop"} 1', 'shop_total{kind="<shop>"} 1'],
    [
      'a{namespace="x",service_name="y",port_name=""} 2',
      'a{namespace="<namespace x>",service_name="<service y>",port_name=""} 2',
    ],
    ['a{service="x/y",le="0.5"} 3', 'a{service="<namespace x>/<service y>",le="0.5"} 3'],
    ['a{host="10.0.0.1:443"} 4', 'a{host="<10.0.0.1>:443"} 4'],
    ['a 5', 'a 5'],
  ])('%s', (line, expected) => {
    expect(replaceMetric(line, basis)).toBe(expected);
  });
});
