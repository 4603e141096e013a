import { describe, expect, test } from 'vitest';
import {
  type ErrnoCode,
  errnoOf,
  isBusy,
  isExists,
  isNotFound,
  isNotPermitted,
  isUnsupported,
  KernelError,
} from './errno.ts';

describe('KernelError', () => {
  test('says what was tried and the code', () => {
    const error = new KernelError('add real server 10.0.0.7:80 to 10.96.0.1:443/TCP', 'ENOENT');
    expect(error.message).toBe('add real server 10.0.0.7:80 to 10.96.0.1:443/TCP: ENOENT');
    expect(error).toMatchObject({ name: 'KernelError', code: 'ENOENT', detail: '' });
    expect('cause' in error).toBe(false);
  });

  test("adds the kernel's own sentence", () => {
    const error = new KernelError('create set KUBE-CLUSTER-IP', 'EINVAL', {
      detail: 'unknown type',
    });
    expect(error.message).toBe('create set KUBE-CLUSTER-IP: EINVAL (unknown type)');
  });

  test('keeps its cause', () => {
    const cause = new Error('because');
    expect(new KernelError('read', 'EIO', { cause }).cause).toBe(cause);
  });
});

const predicates = { isNotFound, isExists, isBusy, isNotPermitted, isUnsupported };

describe('predicates', () => {
  test.each<[ErrnoCode, (keyof typeof predicates)[]]>([
    ['ENOENT', ['isNotFound']],
    ['ESRCH', ['isNotFound']],
    ['ENODEV', ['isNotFound']],
    ['ENXIO', ['isNotFound']],
    ['EADDRNOTAVAIL', ['isNotFound']],
    ['EEXIST', ['isExists']],
    ['EBUSY', ['isBusy']],
    ['EPERM', ['isNotPermitted']],
    ['EACCES', ['isNotPermitted']],
    ['EOPNOTSUPP', ['isUnsupported']],
    ['EPROTONOSUPPORT', ['isUnsupported']],
    ['EAFNOSUPPORT', ['isUnsupported']],
    ['ENOPROTOOPT', ['isUnsupported']],
    ['EINVAL', []],
    ['EAGAIN', []],
  ])('%s is %s', (code, expected) => {
    const error = new KernelError('try', code);
    expect(
      Object.entries(predicates)
        .filter(([, ask]) => ask(error))
        .map(([name]) => name),
    ).toEqual(expected);
    expect(errnoOf(error)).toBe(code);
  });

  test.each([
    ['an error of Node with a code', Object.assign(new Error('open'), { code: 'ENOENT' })],
    ['nothing', undefined],
    ['a text', 'ENOENT'],
  ])('%s is none of them', (_, error) => {
    expect(Object.values(predicates).some((ask) => ask(error))).toBe(false);
    expect(errnoOf(error)).toBeUndefined();
  });
});
