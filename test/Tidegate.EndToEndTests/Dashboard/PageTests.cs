using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Dashboard;

/// <summary>The dashboard as somebody with a browser sees it.</summary>
public sealed class PageTests(Browser browser) : IClassFixture<Browser>
{
    private static readonly string[] Pages = ["/", "/egress", "/egress/echo", "/ingress", "/ingress/orders", "/consumers", "/consumers/partner", "/tenants", "/tenants/acme", "/environments", "/environments/production", "/inventory", "/inventory/ingress/orders", "/exchanges", "/exchanges?tail=on", "/configuration"];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1280, 900)]
    [InlineData(390, 844)]
    public async Task Every_page_shows_traffic_without_a_complaint_of_the_browser_and_without_scrolling_sideways(int width, int height)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root, width, height);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/");
        await visitor.Page.Locator("section:has-text('Ingress') .stat:has-text('Calls') .value:text-is('6')").First.WaitForAsync();

        foreach (var path in Pages)
        {
            await visitor.OpenAsync(path);
            Assert.Equal(width, await visitor.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
            await visitor.HasAsync(0, ".notice.bad, .empty");
            await visitor.KeepAsync($"{width} {path}");
        }

        await visitor.OpenAsync("/audit");
        Assert.Equal(width, await visitor.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        await visitor.SeesAsync("Sign-ins, purges and reloads are kept here.");
        visitor.HasNoComplaint();
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Nothing_on_any_page_keeps_anybody_out(ColorScheme scheme)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root, scheme: scheme);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/");
        await visitor.Page.Locator("section:has-text('Ingress') .stat:has-text('Calls') .value:text-is('6')").First.WaitForAsync();
        var barriers = new List<string>();
        foreach (var path in Pages)
        {
            await visitor.OpenAsync(path);
            barriers.Add(await visitor.BarriersAsync());
        }

        await visitor.OpenAsync("/");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "From … to …" }).ClickAsync();
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "As a table of Egress: calls by outcome over time" }).ClickAsync();
        await visitor.Page.Locator(".behind td").First.WaitForAsync();
        barriers.Add(await visitor.BarriersAsync());
        await visitor.OpenAsync("/exchanges?outcome=failed");
        await visitor.Page.Locator("tbody tr td.status").First.ClickAsync();
        await visitor.SeesAsync("What happened to it");
        barriers.Add(await visitor.BarriersAsync());
        await visitor.KeepAsync($"{scheme} exchange");
        if (barriers.Any(found => found.Length > 0))
        {
            Assert.Fail(string.Join('\n', barriers.Where(found => found.Length > 0)));
        }
    }

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Dark, 390)]
    public async Task Neither_the_form_nor_the_audit_log_keeps_anybody_out(ColorScheme scheme, int width)
    {
        const string Token = "a-token-of-some-length";
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: "{ address: 127.0.0.1:0, token: " + Token + " }");
        await using var visitor = await browser.VisitAsync(gateway.Root, width, scheme: scheme);
        await visitor.Page.GotoAsync("/sign-in");
        Assert.Equal("", await visitor.BarriersAsync());
        await visitor.Page.GetByLabel("Admin token").FillAsync("not-the-token-at-all");
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.SeesAsync("That is not the token");
        Assert.Equal("", await visitor.BarriersAsync());
        await visitor.KeepAsync($"{width} sign in {scheme}");
        await visitor.Page.GetByLabel("Admin token").FillAsync(Token);
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.ComesAliveAsync();
        await visitor.OpenAsync("/audit");
        await visitor.HasAsync(2, "tbody tr");
        await visitor.SeesAsync("sign in, failed");
        Assert.Equal(width, await visitor.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Equal("", await visitor.BarriersAsync());
        await visitor.KeepAsync($"{width} audit {scheme}");
    }

    [Fact]
    public async Task Exchanges_are_filtered_by_region_and_key()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, more: """
              - { name: near, direction: egress, hosts: [near.test], credential: { header: X-Api-Key, keys: [{ name: one, value: a-key-of-ours }, { name: two, value: another-key-of-ours }] }, upstream: { destinations: [{ url: "http://127.0.0.1:UPSTREAM", region: eu-west }] } }
            """);
        await gateway.CallAsync("http://near.test/", Cancellation);
        await gateway.CallAsync("http://near.test/", Cancellation);
        await gateway.GetAsync("/orders", SeenGateway.Key, Cancellation);
        await gateway.Gateway.RecordsAsync(3, Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.OpenAsync("/exchanges");
        await visitor.HasAsync(3, "tbody tr");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "More filters" }).ClickAsync();
        await visitor.Page.GetByLabel("Region").FillAsync("eu-west");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Search" }).ClickAsync();
        await visitor.LandsAtAsync("**/exchanges?region=eu-west");
        await visitor.HasAsync(2, "tbody tr");
        await visitor.Page.GetByLabel("Key", new() { Exact = true }).FillAsync("two");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Search" }).ClickAsync();
        await visitor.LandsAtAsync("**/exchanges?credential=two&region=eu-west");
        await visitor.HasAsync(1, "tbody tr");
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task A_time_of_ones_own_is_chosen_by_keyboard()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.OpenAsync("/egress?zone=utc");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "From … to …" }).FocusAsync();
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.Page.WaitForFunctionAsync("() => document.activeElement.type === 'datetime-local'");
        await visitor.Page.GetByLabel("From", new() { Exact = true }).FillAsync("2026-01-02T03:00");
        await visitor.Page.GetByLabel("To", new() { Exact = true }).FillAsync("2026-01-02T02:00");
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.KeepAsync("1280 own time");
        await visitor.SeesAsync("The end must be after the beginning.");
        await visitor.Page.GetByLabel("To", new() { Exact = true }).FillAsync("2026-01-02T05:30");
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.LandsAtAsync(new Regex("/egress.from=2026-01-02T03%3A00%3A00Z&to=2026-01-02T05%3A30%3A00Z&zone=utc$"));
        await visitor.HasAsync(0, "#own-time");
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task What_a_chart_shows_can_be_read_as_a_table()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/");
        await visitor.Page.Locator("section:has-text('Ingress') .stat:has-text('Calls') .value:text-is('6')").First.WaitForAsync();
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "As a table of Flow of calls from callers over APIs to outcomes" }).ClickAsync();
        await visitor.Page.Locator(".behind tr:has-text('no key'):has-text('echo'):has-text('6')").WaitForAsync();
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task An_api_shows_what_keeps_its_calls_going_and_what_was_turned_away()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/egress/keyed");
        await visitor.Page.Locator("section:has-text('Credential') tr:has-text('first'):has-text('X-Api-Key'):has-text('in turn')").WaitForAsync();
        await visitor.SeesAsync("further attempts could be made at once");
        await visitor.Page.Locator("section:has-text('Adaptive limits') tr:has-text('adaptive_concurrency'):has-text('in flight')").WaitForAsync();
        await visitor.Page.Locator("tr:has-text('the API'):has-text('5 s')").WaitForAsync();
        Assert.DoesNotContain("key-of-ours", await visitor.Page.ContentAsync(), StringComparison.Ordinal);
        await visitor.KeepAsync("1280 egress keyed");
        await visitor.OpenAsync("/egress/echo");
        await visitor.Page.Locator("section:has-text('What the cache made of it') tr:has-text('miss')").WaitForAsync();
        await visitor.OpenAsync("/ingress");
        await visitor.Page.Locator("section:has-text('Not let in') tr:has-text('credential_unknown'):has-text('authenticate'):has-text('orders')").WaitForAsync();
        visitor.HasNoComplaint();
    }

    [Theory]
    [InlineData(1280)]
    [InlineData(390)]
    public async Task A_destination_that_is_down_is_on_its_apis_page_though_no_call_counts_for_it(int width)
    {
        var dead = $"http://127.0.0.1:{TestPorts.Free()}";
        await using var gateway = await SeenGateway.StartAsync(Cancellation, more: $$"""
              - { name: paired, direction: egress, hosts: [paired.test], retry: { backoff: { base: 1ms } }, upstream: { destinations: ["{{dead}}", "http://127.0.0.1:UPSTREAM"], balance: ordered, ejection: { failures: 2, for: 5m } } }
            """);
        await using var visitor = await browser.VisitAsync(gateway.Root, width);
        await visitor.OpenAsync("/egress/paired");
        await visitor.Page.Locator($"tr:has-text('{dead}'):has-text('in turn')").WaitForAsync();
        for (var i = 0; i < 4; i++)
        {
            await gateway.CallAsync("http://paired.test/", Cancellation);
        }

        await visitor.OpenAsync("/");
        await visitor.Page.GetByText("A destination of paired is left out").ClickAsync();
        await visitor.LandsAtAsync("**/egress/paired");
        await visitor.Page.Locator($"tr:has-text('{dead}'):has-text('left out'):has-text('2 failures in a row'):has-text('2 of 2 attempts failed'):has-text('until')").WaitForAsync();
        Assert.Equal(width, await visitor.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Equal("", await visitor.BarriersAsync());
        await visitor.KeepAsync($"{width} destination down");
        visitor.HasNoComplaint();
    }

    [Theory]
    [InlineData(1280)]
    [InlineData(390)]
    public async Task An_apis_only_credential_is_shown_without_its_value_and_with_how_it_is_taken(int width)
    {
        await using var provider = ScriptedUpstream.Answering("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        await using var gateway = await SeenGateway.StartAsync(Cancellation, more: $$"""
              - { name: alone, direction: egress, hosts: [alone.test], credential: { header: X-Provider-Key, value: the-only-key-of-ours }, upstream: { destinations: ["http://127.0.0.1:{{provider.Port}}"] } }
            """);
        await gateway.CallAsync("http://alone.test/", Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root, width);
        await visitor.OpenAsync("/egress/alone");
        await visitor.Page.Locator("section:has-text('Credential') tr:has-text('the only one'):has-text('X-Provider-Key'):has-text('401 at ')").WaitForAsync();
        Assert.DoesNotContain("the-only-key-of-ours", await visitor.Page.ContentAsync(), StringComparison.Ordinal);
        Assert.Equal(width, await visitor.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Equal("", await visitor.BarriersAsync());
        await visitor.KeepAsync($"{width} credential");
        visitor.HasNoComplaint();
    }

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(390, ColorScheme.Dark)]
    public async Task An_api_shows_what_is_left_for_single_callers_and_what_its_provider_says_is_left(int width, ColorScheme scheme)
    {
        await using var provider = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nX-RateLimit-Limit: 1000\r\nX-RateLimit-Remaining: 40\r\nX-RateLimit-Reset: 3000\r\nContent-Length: 0\r\n\r\n");
        await using var gateway = await SeenGateway.StartAsync(Cancellation, more: $$"""
              - { name: told, direction: egress, hosts: [told.test], limits: [{ name: each, rate: 8/1h, per: [client_address] }], upstream: { destinations: ["http://127.0.0.1:{{provider.Port}}"] } }
            """);
        for (var i = 0; i < 2; i++)
        {
            await gateway.CallAsync("http://told.test/", Cancellation);
        }

        await gateway.Gateway.RecordsAsync(2, Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root, width, scheme: scheme);
        await visitor.OpenAsync("/egress/told");
        await visitor.Page.Locator("section:has-text('Limits') tr:has-text('127.0.0.1'):has-text('6 of 8 left')").WaitForAsync();
        await visitor.Page.Locator("section:has-text('Limits') tr:has-text('x-ratelimit'):has-text('40 of 1,000 left, anew in'):has-text('says x-ratelimit-remaining')").WaitForAsync();
        Assert.Equal(width, await visitor.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Equal("", await visitor.BarriersAsync());
        await visitor.KeepAsync($"{width} limits {scheme}");
        await visitor.OpenAsync("/egress");
        await visitor.Page.Locator("tr:has-text('told') [aria-label='96 % of its limit used']").WaitForAsync();
        await visitor.OpenAsync("/");
        await visitor.SeesAsync("told's provider says that little is left");
        visitor.HasNoComplaint();

        using var client = new HttpClient();
        using var limits = System.Text.Json.JsonDocument.Parse(await client.GetStringAsync(gateway.Root + "/api/v1/limits", Cancellation));
        var each = limits.RootElement.GetProperty("limits").EnumerateArray().Single(limit => limit.GetProperty("api").GetString() == "told");
        var fullest = each.GetProperty("fullest").EnumerateArray().Single();
        Assert.Equal(("127.0.0.1", 8, 2), (fullest.GetProperty("of").GetString(), fullest.GetProperty("amount").GetInt32(), fullest.GetProperty("used").GetInt32()));
        var window = limits.RootElement.GetProperty("provider_windows").EnumerateArray().Single();
        Assert.Equal(("told", 1_000, 40), (window.GetProperty("api").GetString(), window.GetProperty("limit").GetInt32(), window.GetProperty("remaining").GetInt32()));
        var metrics = await client.GetStringAsync(gateway.Root + "/metrics", Cancellation);
        Assert.Contains("""tidegate_provider_window_remaining{api="told",window="x-ratelimit"} 40""", metrics, StringComparison.Ordinal);
        Assert.Contains("""tidegate_provider_window_limit{api="told",window="x-ratelimit"} 1000""", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_page_says_what_to_do_while_nothing_was_called()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        foreach (var path in Pages)
        {
            await visitor.OpenAsync(path);
            await visitor.HasAsync(0, ".notice.bad");
        }

        await visitor.OpenAsync("/");
        await visitor.SeesAsync("All quiet.");
        await visitor.OpenAsync("/exchanges");
        await visitor.SeesAsync("Nothing fits in this time.");
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task Without_a_store_pages_say_so_and_show_what_is_live()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, isKept: false);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await gateway.BusyAsync(Cancellation);
        foreach (var path in Pages.Where(path => path != "/configuration" && !path.StartsWith("/inventory", StringComparison.Ordinal)))
        {
            await visitor.OpenAsync(path);
            await visitor.SeesAsync("Exchanges are not kept.");
        }

        await visitor.OpenAsync("/exchanges");
        await visitor.HasAsync(13, "tbody tr");
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task The_url_holds_time_and_filters_from_page_to_page()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/?last=6h&zone=utc");
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "Exchanges", Exact = true }).ClickAsync();
        await visitor.LandsAtAsync("**/exchanges?last=6h&zone=utc");
        await visitor.Page.GetByLabel("Status").FillAsync("4xx");
        await visitor.Page.GetByLabel("API", new() { Exact = true }).FillAsync("orders");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Search" }).ClickAsync();
        await visitor.LandsAtAsync("**/exchanges?api=orders&last=6h&status=4xx&zone=utc");
        await visitor.SeesAsync("credential_unknown");
        await visitor.HasAsync(1, "tbody tr");

        // The same URL shows the same to somebody else.
        await using var other = await browser.VisitAsync(gateway.Root);
        await other.OpenAsync(new Uri(visitor.Page.Url).PathAndQuery);
        Assert.Equal("4xx", await other.Page.GetByLabel("Status").InputValueAsync());
        await other.HasAsync(1, "tbody tr");
        visitor.HasNoComplaint();
        other.HasNoComplaint();
    }

    [Fact]
    public async Task A_row_leads_to_the_exchange_with_its_time_and_its_decisions()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/exchanges?outcome=rejected&api=orders");
        await visitor.Page.Locator("tbody tr td.status").First.ClickAsync();
        await visitor.LandsAtAsync(new Regex("/exchanges/[0-9a-f]{16}$"));
        await visitor.SeesAsync("Where the time went");
        await visitor.SeesAsync("Refused by authenticate");
        await visitor.Page.Locator(".timeline li.part:has-text('authenticate'):has-text('refused: credential_unknown')").WaitForAsync();
        await visitor.Page.GetByText("The record, as in").ClickAsync();
        await visitor.SeesAsync("\"code\": \"credential_unknown\"");
        await visitor.KeepAsync("1280 exchange refused");
        await visitor.OpenAsync("/exchanges?outcome=forwarded&api=echo");
        await visitor.Page.Locator("tbody tr td.status").First.ClickAsync();
        await visitor.Page.Locator(".timeline li.part:has-text('limits'):has-text('1000/1m'):has-text('had room')").WaitForAsync();
        await visitor.Page.Locator(".timeline li.part:has-text('cache'):has-text('miss')").WaitForAsync();
        await visitor.KeepAsync("1280 exchange forwarded");
        await visitor.OpenAsync("/exchanges/0123456789abcdef");
        await visitor.SeesAsync("This exchange is not kept.");
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task The_tail_shows_what_ends_while_one_looks_and_stands_still_when_it_is_paused()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.OpenAsync("/exchanges?tail=on&api=orders");
        await visitor.SeesAsync("Nothing yet.");
        await gateway.GetAsync("/orders/first", SeenGateway.Key, Cancellation);
        await visitor.SeesAsync("/orders/first");
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "Live", Exact = true }).ClickAsync();
        await visitor.SeesAsync("Paused");
        await gateway.GetAsync("/orders/second", SeenGateway.Key, Cancellation);
        await gateway.Gateway.RecordsAsync(2, Cancellation);
        await Task.Delay(TimeSpan.FromSeconds(2), Cancellation);
        Assert.Equal(1, await visitor.Page.Locator("tbody tr").CountAsync());
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "Paused", Exact = true }).ClickAsync();
        await visitor.SeesAsync("/orders/second");
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task Light_and_dark_follow_the_browser_until_somebody_chooses()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root, scheme: ColorScheme.Dark);
        Task<string> Background() => visitor.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");
        await visitor.OpenAsync("/");
        Assert.Equal("rgb(13, 20, 26)", await Background());
        await visitor.Page.GetByLabel("Light or dark").ClickAsync();
        Assert.Equal("rgb(245, 247, 248)", await Background());
        await visitor.OpenAsync("/egress");
        Assert.Equal("rgb(245, 247, 248)", await Background());
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task Times_are_the_browsers_until_somebody_wants_utc()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.OpenAsync("/");
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "UTC+9:00" }).ClickAsync();
        await visitor.LandsAtAsync("**/?zone=utc");
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "UTC", Exact = true }).WaitForAsync();
    }

    [Fact]
    public async Task An_exchanges_time_follows_the_zone_switch()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/exchanges?api=orders&outcome=rejected");
        await visitor.Page.Locator("tbody tr td.status").First.ClickAsync();
        await visitor.SeesAsync("Where the time went");
        Task<string> Began() => visitor.Page.Locator("dt:text-is('Began') + dd").InnerTextAsync();
        var local = DateTime.Parse(await Began(), System.Globalization.CultureInfo.InvariantCulture);
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "UTC+9:00" }).ClickAsync();
        await visitor.Page.GetByRole(AriaRole.Link, new() { Name = "UTC", Exact = true }).WaitForAsync();
        await visitor.Page.Locator($"dt:text-is('Began') + dd:has-text('{local.AddHours(-9):yyyy-MM-dd HH:mm:ss.fff}')").WaitForAsync();
        visitor.HasNoComplaint();
    }

    [Theory]
    [InlineData(1280)]
    [InlineData(390)]
    public async Task The_button_that_shows_a_table_covers_nothing_of_a_chart(int width)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root, width);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/");
        await visitor.Page.WaitForFunctionAsync("() => document.querySelectorAll('.high canvas').length === 2");
        var covered = await visitor.Page.EvaluateAsync<string[]>("""
            [...document.querySelectorAll('.canvas')].flatMap(place => {
              const button = place.parentElement.querySelector('.as-table').getBoundingClientRect();
              const corner = place.getBoundingClientRect();
              const { series, legend } = echarts.getInstanceByDom(place).getOption();
              const isBelow = corner.top >= button.bottom || series[0].type === 'sankey' && corner.top + series[0].top >= button.bottom;
              const isBeside = legend?.[0] && corner.left + legend[0].width <= button.left;
              return isBelow || isBeside ? [] : [place.getAttribute('aria-label')];
            })
            """);
        Assert.Empty(covered);
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task A_page_that_the_restarted_gateway_does_not_know_loads_itself_anew()
    {
        var port = TestPorts.Free();
        var before = await SeenGateway.StartAsync(Cancellation, admin: $"{{ address: 127.0.0.1:{port} }}");
        await using var visitor = await browser.VisitAsync(before.Root);
        await visitor.OpenAsync("/configuration");
        await visitor.Page.EvaluateAsync("window.isOld = true");
        await before.DisposeAsync();
        await visitor.SeesAsync("The connection to the gateway is lost.");
        await using var after = await SeenGateway.StartAsync(Cancellation, admin: $"{{ address: 127.0.0.1:{port} }}");

        await visitor.Page.WaitForFunctionAsync("() => !window.isOld && document.querySelector('main[data-alive]')");
    }

    [Fact]
    public async Task A_stretch_of_a_chart_that_is_drawn_over_becomes_the_time()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await gateway.BusyAsync(Cancellation);
        await visitor.OpenAsync("/egress?last=6h");
        var box = (await visitor.Page.Locator(".canvas").First.BoundingBoxAsync())!;
        await visitor.Page.Mouse.MoveAsync(box.X + (box.Width * 0.4f), box.Y + (box.Height / 2));
        await visitor.Page.Mouse.DownAsync();
        await visitor.Page.Mouse.MoveAsync(box.X + (box.Width * 0.6f), box.Y + (box.Height / 2));
        await visitor.Page.Mouse.UpAsync();
        await visitor.LandsAtAsync("**/egress?from=*&to=*");
        var range = Tidegate.Dashboard.Views.View.Of(visitor.Page.Url).Range;

        // A fifth of the picture, whose axis takes a little of it.
        Assert.InRange(range.Span.TotalMinutes, 65, 90);
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task The_keyboard_reaches_content_and_pages()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.OpenAsync("/");
        Task<string> Focused() => visitor.Page.EvaluateAsync<string>("document.activeElement.textContent");
        await visitor.Page.WaitForFunctionAsync("() => document.activeElement.tagName === 'H1'");
        for (var steps = 0; steps < 40 && await Focused() != "Skip to the content"; steps++)
        {
            await visitor.Page.Keyboard.PressAsync("Shift+Tab");
        }

        Assert.Equal("Skip to the content", await Focused());
        await visitor.Page.Keyboard.PressAsync("Tab");
        await visitor.Page.Keyboard.PressAsync("Tab");
        await visitor.Page.Keyboard.PressAsync("Tab");
        Assert.Equal("Egress", await Focused());
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.LandsAtAsync("**/egress");
    }

    [Fact]
    public async Task The_configuration_page_explains_a_request_and_shows_a_reload_that_failed()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.OpenAsync("/configuration");
        await visitor.Page.GetByLabel("URL").FillAsync("http://elsewhere.example/");
        await visitor.Page.GetByLabel("Direction").SelectOptionAsync("egress");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Explain" }).ClickAsync();
        await visitor.SeesAsync("host_not_listed");
        Assert.DoesNotContain(SeenGateway.Key, await visitor.Page.ContentAsync(), StringComparison.Ordinal);
        gateway.Gateway.Reload("listenrs: {}");
        await visitor.SeesAsync("unknown key 'listenrs'");
        await visitor.OpenAsync("/");
        await visitor.SeesAsync("The configuration file is not in force");
        visitor.HasNoComplaint();
    }
}
