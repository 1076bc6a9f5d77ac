// Runs before uPlot, which throws while loading where `Intl` refuses the browser's language, such as `en-US@posix`
// of a headless Chromium under `LANG=C`.

try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en-US' });
}
