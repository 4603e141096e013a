/** The name of the dummy device for cluster IPs. Other programs know it. */
export const deviceName = 'kube-ipvs0';
