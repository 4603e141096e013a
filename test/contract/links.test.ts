import { FakeLinks } from '../../pkg/links/fake.ts';
import { ip } from '../support/addresses.ts';
import { linksContract } from './links.ts';

linksContract('the fake links', {
  hasDummy: true,
  make() {
    const links = new FakeLinks();
    links.addLink('kube-test1', 'dummy');
    links.addLink('eth0', 'veth');
    const parts = (text: string) => {
      const [address = '', length = ''] = text.split('/');
      return { address: ip(address), prefixLength: Number(length) };
    };
    return {
      links,
      device: 'kube-test1',
      other: 'eth0',
      addAddress: (link, text) => links.addAddress({ link, ...parts(text) }),
      removeAddress: (link, text) => links.removeAddress({ link, ...parts(text) }),
      readBack(link) {
        const [, device = ''] = `\n${links.dump()}`.split(new RegExp(`\\n${link} \\w+`));
        const lines = device.split(/\n(?! )/)[0] ?? '';
        return lines.split('\n').flatMap((line) => (line.startsWith('  ') ? [line.trim()] : []));
      },
      dispose: () => {},
    };
  },
});
