// Host memory of this process.

const KIB = 1024;

export function hostMemory(): { rssBytes: number; peakRssBytes: number } {
  return {
    rssBytes: process.memoryUsage.rss(),
    peakRssBytes: process.resourceUsage().maxRSS * KIB,
  };
}
