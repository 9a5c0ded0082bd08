using System.Text.RegularExpressions;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using Xunit;

namespace Tidegate.EndToEndTests.Dashboard;

/// <summary>Somebody with a browser, and everything that it complained about: errors of scripts, refused loads, breaches of the content security policy.</summary>
internal sealed class Visitor : IAsyncDisposable
{
    private const int PatienceMilliseconds = 60_000;

    private static readonly string Screenshots = Path.Combine(Root(), "artifacts", "screenshots");

    private readonly IBrowserContext _context;
    private readonly List<string> _complaints = [];

    public Visitor(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
        page.SetDefaultTimeout(PatienceMilliseconds);
        page.SetDefaultNavigationTimeout(PatienceMilliseconds);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                Complain(message.Text);
            }
        };
        page.PageError += (_, error) => Complain(error);
    }

    public IPage Page { get; }

    /// <summary>What the browser complained about so far.</summary>
    public IReadOnlyList<string> Complaints
    {
        get
        {
            lock (_complaints)
            {
                return [.. _complaints];
            }
        }
    }

    /// <summary>Opens a page and waits until it is alive: drawn, and connected to the gateway.</summary>
    public async Task OpenAsync(string path)
    {
        await Page.GotoAsync(path);
        await Page.WaitForSelectorAsync("h1");
        await Page.WaitForFunctionAsync("() => document.querySelectorAll('.canvas').length === document.querySelectorAll('.canvas canvas').length && !document.querySelector('.skeleton')");
        await ComesAliveAsync();
    }

    /// <summary>Waits until the page is connected to the gateway.</summary>
    public Task ComesAliveAsync() => Page.WaitForSelectorAsync("main[data-alive]");

    /// <summary>Keeps what the page looks like among the artifacts, for people.</summary>
    public async Task KeepAsync(string name)
    {
        var path = Path.Combine(Screenshots, string.Concat(name.Select(character => char.IsAsciiLetterOrDigit(character) ? character : '-')).Trim('-') + ".png");
        await Page.ScreenshotAsync(new PageScreenshotOptions { Path = path, FullPage = true });
    }

    /// <summary>What axe-core finds that is serious: somebody could not read or use it.</summary>
    public async Task<string> BarriersAsync()
    {
        var found = await Page.RunAxe();
        return string.Join('\n', found.Violations.Where(violation => violation.Impact is "serious" or "critical")
            .Select(violation => $"{new Uri(Page.Url).PathAndQuery}: {violation.Id}: {violation.Help}\n{string.Join('\n', violation.Nodes.Take(5).Select(node => "    " + node.Html))}"));
    }

    /// <summary>Waits until the address is such a one, with * for a part and ** for all before. By looking: what waits for the event of it may begin to do so just after it came.</summary>
    public Task LandsAtAsync(string url) => LandsAtAsync(new Regex("^" + Regex.Escape(url).Replace("\\*\\*", ".*", StringComparison.Ordinal).Replace("\\*", "[^/]*", StringComparison.Ordinal) + "$"));

    /// <inheritdoc cref="LandsAtAsync(string)"/>
    public async Task LandsAtAsync(Regex url)
    {
        for (var waited = 0; !url.IsMatch(Page.Url); waited += 50)
        {
            Assert.True(waited < PatienceMilliseconds, $"The address is {Page.Url}, and not such as {url}.");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Waits until the page says something.</summary>
    public Task SeesAsync(string text) => Page.GetByText(text).First.WaitForAsync();

    /// <summary>Waits until the page has so many of something: a page that was led elsewhere has what it had before for a moment.</summary>
    public Task HasAsync(int count, string selector) => Assertions.Expect(Page.Locator(selector)).ToHaveCountAsync(count, new() { Timeout = PatienceMilliseconds });

    /// <summary>Fails with whatever the browser complained about.</summary>
    public void HasNoComplaint() => Assert.Equal("", string.Join('\n', Complaints));

    public ValueTask DisposeAsync() => _context.DisposeAsync();

    private static string Root()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }

    private void Complain(string text)
    {
        lock (_complaints)
        {
            _complaints.Add(text);
        }
    }
}
