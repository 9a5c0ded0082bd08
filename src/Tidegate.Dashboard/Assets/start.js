// Begins the page's connection. One that is lost is looked for as long as the page is open: a gateway that comes back finds its pages.
Blazor.start({ circuit: { reconnectionOptions: { maxRetries: Number.MAX_SAFE_INTEGER, retryIntervalMilliseconds: tries => tries < 4 ? 500 : 3000 } } });
