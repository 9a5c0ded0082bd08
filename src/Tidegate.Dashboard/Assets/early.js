// Before anything is drawn: the theme that was chosen, and where the browser's clock is, for whoever draws the page on the other side.
(() => {
  const year = 31536000;
  const read = name => document.cookie.split('; ').find(entry => entry.startsWith(name + '='))?.slice(name.length + 1);
  const write = (name, value) => { document.cookie = `${name}=${value}; path=/; max-age=${year}; samesite=strict`; };
  const zone = `${Intl.DateTimeFormat().resolvedOptions().timeZone} ${-new Date().getTimezoneOffset()}`;
  if (decodeURIComponent(read('tidegate-zone') ?? '') !== zone) {
    write('tidegate-zone', encodeURIComponent(zone));
  }

  globalThis.tidegateZone = () => zone;

  const root = document.documentElement;
  document.addEventListener('click', event => {
    if (event.target.closest?.('[data-theme-switch]')) {
      const isDark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
      root.dataset.theme = isDark ? 'light' : 'dark';
      write('tidegate-theme', root.dataset.theme);
      document.dispatchEvent(new Event('tidegate-theme'));
    }

    // A row is a link where it has one.
    const row = event.target.closest?.('tr[data-row]');
    if (row && !event.target.closest('a, button, summary') && !getSelection()?.toString()) {
      row.querySelector('a')?.click();
    }

    if (event.target.closest?.('[data-reload]')) {
      event.preventDefault();
      location.reload();
    }
  });

  let isLeaving = false;
  addEventListener('beforeunload', () => { isLeaving = true; });
  addEventListener('pageshow', () => { isLeaving = false; });

  const isAlive = () => !document.querySelector('main:not([data-alive])');
  const ask = async () => (await fetch('/assets/dashboard.js', { method: 'HEAD', cache: 'no-store' })).status;
  let isAsking = false;

  // Whoever is not signed in any more is led to the form, and a page that lost its connection before it came alive, which no other brings to life, begins anew. Asked twice: a browser in which
  // somebody signs in beside this page has the new key in a moment. While the gateway does not answer, nothing is known.
  const askWhoIsThere = async () => {
    if (isAsking) {
      return;
    }

    isAsking = true;
    try {
      if (await ask() !== 401 && isAlive()) {
        return;
      }

      await new Promise(resolve => { setTimeout(resolve, 1000); });
      const status = await ask();
      if (isLeaving) {
        return;
      }

      if (status === 401) {
        location.assign('/sign-in?to=' + encodeURIComponent(location.pathname + location.search));
      } else if (!isAlive()) {
        location.reload();
      }
    } catch {
      // It will be asked again.
    } finally {
      isAsking = false;
    }
  };

  // The event does not bubble. A gateway that was started anew does not know this page any more.
  document.addEventListener('components-reconnect-state-changed', event => {
    const state = event.detail?.state;
    if (state === 'rejected' || state === 'resume-failed') {
      location.reload();
    } else if (state === 'show' || state === 'retrying' || state === 'failed') {
      askWhoIsThere();
    }
  }, true);

  // All that is heard of a connection that was lost before anything could be drawn over it.
  addEventListener('unhandledrejection', () => {
    if (!isAlive()) {
      askWhoIsThere();
    }
  });
})();
