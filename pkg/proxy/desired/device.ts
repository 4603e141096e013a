/** The dummy device that cluster IPs are bound to. Its name is what other programs know it by. */
export const deviceName = 'kube-ipvs0';
