using Microsoft.Playwright;
using Xunit;

namespace Tidegate.EndToEndTests.Dashboard;

/// <summary>The machine's Chromium, for a class of tests. Where it is missing they are skipped, and say so.</summary>
public sealed class Browser : IAsyncLifetime
{
    private static readonly string? Program = ((string[])["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]).FirstOrDefault(File.Exists);

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        if (Program is not null)
        {
            _playwright = await Playwright.CreateAsync();
            _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = Program, Args = ["--no-sandbox"], Timeout = 120_000 });
        }
    }

    /// <summary>A visitor of their own: no cookie, nothing cached.</summary>
    internal async Task<Visitor> VisitAsync(string root, int width = 1280, int height = 900, ColorScheme scheme = ColorScheme.Light)
    {
        Assert.SkipWhen(_browser is null, "There is no Chromium: install Debian's chromium, or run test.sh as root.");
        var context = await _browser.NewContextAsync(new BrowserNewContextOptions { BaseURL = root, ViewportSize = new ViewportSize { Width = width, Height = height }, ColorScheme = scheme, TimezoneId = "Asia/Tokyo" });
        return new Visitor(context, await context.NewPageAsync());
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
    }
}
