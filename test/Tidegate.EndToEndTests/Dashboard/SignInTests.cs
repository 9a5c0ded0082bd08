using System.Net;
using System.Net.WebSockets;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Dashboard;

/// <summary>Who sees the dashboard.</summary>
public sealed class SignInTests(Browser browser) : IClassFixture<Browser>
{
    private const string Token = "a-token-of-some-length";
    private const string WithToken = "{ address: 127.0.0.1:0, token: " + Token + " }";

    private const string Password = "correct horse battery";

    private static readonly string Hash = $"\"{Tidegate.Dashboard.SignIn.Passwords.Hash(Password)}\"";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Where_there_is_a_token_people_sign_in_with_it_and_out()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.Page.GotoAsync("/egress?last=6h");
        await visitor.LandsAtAsync("**/sign-in?to=*");
        await visitor.Page.GetByLabel("Admin token").FillAsync("not-the-token-at-all");
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.SeesAsync("That is not the token");
        await visitor.Page.GetByLabel("Admin token").FillAsync(Token);
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.LandsAtAsync("**/egress?last=6h");
        await visitor.OpenAsync("/egress");
        var session = (await visitor.Page.Context.CookiesAsync()).Single(cookie => cookie.Name == "__Host-tidegate");
        Assert.True(session.HttpOnly && session.Secure && session.SameSite == Microsoft.Playwright.SameSiteAttribute.Strict);
        Assert.Equal(["Failed to load resource: the server responded with a status of 401 (Unauthorized)"], visitor.Complaints);
        await visitor.Page.GetByRole(Microsoft.Playwright.AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await visitor.LandsAtAsync("**/sign-in");
        await visitor.Page.GotoAsync("/");
        await visitor.LandsAtAsync("**/sign-in?to=*");
    }

    [Fact]
    public async Task Another_token_ends_the_sessions_that_began_with_the_old_one()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        var session = await SignInAsync(client, gateway.Root);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, gateway.Root + "/", session));
        gateway.Gateway.Reload($"listeners: {{ egress: {{ address: 127.0.0.1:0 }}, admin: {{ address: 127.0.0.1:0, token: another-token-of-length }} }}");
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, gateway.Root + "/", session));
    }

    [Fact]
    public async Task When_the_session_ends_the_page_leads_to_the_form()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.Page.GotoAsync("/sign-in");
        await visitor.Page.GetByLabel("Admin token").FillAsync(Token);
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.Page.WaitForSelectorAsync("main[data-alive]");
        await visitor.OpenAsync("/egress?last=6h");
        var elsewhere = await visitor.Page.Context.NewPageAsync();
        await elsewhere.GotoAsync("/configuration");
        await elsewhere.GetByRole(Microsoft.Playwright.AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();

        await visitor.LandsAtAsync(new System.Text.RegularExpressions.Regex("/sign-in.to=%2Fegress%3Flast%3D6h$"));
        await visitor.SeesAsync("Admin token");
    }

    [Theory]
    [InlineData("/", 401)]
    [InlineData("/assets/dashboard.js", 401)]
    [InlineData("/assets/dashboard.css", 200)]
    [InlineData("/api/v1/status", 401)]
    [InlineData("/metrics", 401)]
    [InlineData("/livez", 200)]
    [InlineData("/_blazor/negotiate", 401)]
    [InlineData("/sign-in", 200)]
    public async Task Nothing_but_the_form_is_shown_to_strangers(string path, int status)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });

        Assert.Equal(status, (int)await StatusAsync(client, gateway.Root + path, ""));
    }

    [Theory]
    [InlineData("https://attacker.example", false)]
    [InlineData("null", false)]
    [InlineData("", true)]
    public async Task Another_sites_page_gets_no_connection(string origin, bool isTaken)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Origin", origin.Length == 0 ? gateway.Root : origin);
        var address = new Uri(gateway.Root.Replace("http:", "ws:", StringComparison.Ordinal) + "/_blazor");
        if (isTaken)
        {
            await socket.ConnectAsync(address, Cancellation);
            Assert.Equal(WebSocketState.Open, socket.State);
            return;
        }

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(address, Cancellation));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(new HttpClient(), gateway.Root + "/", "", origin));
    }

    [Fact]
    public async Task A_form_that_another_site_sends_signs_nobody_in()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        using var answer = await client.PostAsync(gateway.Root + "/sign-in", new FormUrlEncodedContent([new("token", Token), new("form", "guessed")]), Cancellation);

        Assert.DoesNotContain(answer.Headers, header => header.Key == "Set-Cookie" && header.Value.Any(cookie => cookie.StartsWith("__Host-tidegate=", StringComparison.Ordinal)));
        Assert.Contains("too old", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pages_allow_no_script_of_others_and_the_api_stays_as_strict_as_it_was()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        using var client = new HttpClient();
        using var page = await client.GetAsync(gateway.Root + "/", Cancellation);
        using var api = await client.GetAsync(gateway.Root + "/api/v1/status", Cancellation);
        using var rebound = new HttpRequestMessage(HttpMethod.Get, gateway.Root + "/");
        rebound.Headers.Host = "attacker.example";
        using var refused = await client.SendAsync(rebound, Cancellation);

        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("script-src 'self'; style-src 'self';", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("default-src 'none'; frame-ancestors 'none'", api.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal(421, (int)refused.StatusCode);
    }

    [Theory]
    [InlineData("/", "/")]
    [InlineData("/egress?last=6h", "/egress?last=6h")]
    [InlineData("//evil.example", "/")]
    [InlineData("/\\evil.example", "/")]
    [InlineData("/\t/evil.example", "/")]
    [InlineData("https://evil.example", "/")]
    public async Task Signing_in_leads_nowhere_else_whatever_the_link_says(string to, string leadsTo)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        using var client = Client();
        var session = await SignInAsync(client, gateway.Root);
        using var request = Request(gateway.Root + "/sign-in/done?to=" + Uri.EscapeDataString(to), session);
        using var answer = await client.SendAsync(request, Cancellation);

        Assert.Equal((HttpStatusCode.SeeOther, leadsTo), (answer.StatusCode, answer.Headers.GetValues("Location").Single()));
    }

    [Theory]
    [InlineData("viewer", "acme", "/api/v1/status:403 /metrics:403 /api/v1/config:403 /api/v1/audit:403 /api/v1/exchanges:200 /api/v1/series?last=1h:200 /api/v1/apis:403")]
    [InlineData("viewer", "", "/api/v1/status:200 /metrics:200 /api/v1/config:403 /api/v1/audit:403 /api/v1/exchanges:200 /api/v1/series?last=1h:200 /api/v1/apis:200")]
    [InlineData("operator", "", "/api/v1/status:200 /metrics:200 /api/v1/config:200 /api/v1/audit:403 /api/v1/exchanges:200 /api/v1/series?last=1h:200 /api/v1/apis:200")]
    [InlineData("admin", "", "/api/v1/status:200 /metrics:200 /api/v1/config:200 /api/v1/audit:200 /api/v1/exchanges:200 /api/v1/series?last=1h:200 /api/v1/apis:200")]
    public async Task Each_role_sees_what_it_may(string role, string tenant, string expected)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithPeople($"{{ name: ana, password: {Hash}, role: {role}{(tenant.Length > 0 ? $", tenants: [{tenant}]" : "")} }}"));
        using var client = Client();
        var session = await SignInAsync(client, gateway.Root, "ana");
        var seen = new List<string>();
        foreach (var (path, _) in expected.Split(' ').Select(one => (one[..one.LastIndexOf(':')], 0)))
        {
            seen.Add($"{path}:{(int)await StatusAsync(client, gateway.Root + path, session)}");
        }

        Assert.Equal(expected, string.Join(' ', seen));
    }

    [Fact]
    public async Task Who_sees_one_tenant_sees_nothing_of_others_on_any_way()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithPeople($"{{ name: mine, password: {Hash}, tenants: [acme] }}, {{ name: other, password: {Hash}, tenants: [globex] }}"));
        await gateway.BusyAsync(Cancellation);
        using var client = Client();
        foreach (var (name, calls) in ((string, int)[])[("mine", 5), ("other", 0)])
        {
            var session = await SignInAsync(client, gateway.Root, name);
            foreach (var path in (string[])["/api/v1/exchanges", "/api/v1/exchanges/search?last=1h", "/api/v1/exchanges?limit=1000"])
            {
                using var found = await JsonAsync(client, gateway.Root + path, session);
                Assert.Equal(calls, found.RootElement.GetProperty("exchanges").GetArrayLength());
            }

            using var file = await client.SendAsync(Request(gateway.Root + "/api/v1/exchanges/search?last=1h&format=csv", session), Cancellation);
            Assert.Equal(calls + 1, (await file.Content.ReadAsStringAsync(Cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
            Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(client, gateway.Root + "/api/v1/inventory", session));
            Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(client, gateway.Root + "/api/v1/limits", session));

            // Asking for another tenant must not widen what is seen.
            using var asked = await JsonAsync(client, gateway.Root + "/api/v1/exchanges/search?last=1h&tenant=", session);
            Assert.Equal(0, asked.RootElement.GetProperty("exchanges").GetArrayLength());
            using var sums = await UntilAsync(() => JsonAsync(client, gateway.Root + "/api/v1/series?last=1h&group_by=tenant&tenant=acme&tenant=", session), json => Groups(json).Sum(group => group.Calls) == calls);
            Assert.All(Groups(sums), group => Assert.Equal("acme", group.Tenant));

            using var tail = await client.SendAsync(Request(gateway.Root + "/api/v1/exchanges/tail", session), HttpCompletionOption.ResponseHeadersRead, Cancellation);
            using var events = new StreamReader(await tail.Content.ReadAsStreamAsync(Cancellation));
            await gateway.GetAsync("/orders", "no-key-of-ours", Cancellation);
            await gateway.GetAsync("/orders", SeenGateway.Key, Cancellation);
            Assert.Equal(name == "mine" ? "acme" : "", await NextTenantAsync(events, signsOfLife: name == "mine" ? 5 : 1));
        }
    }

    [Fact]
    public async Task Pages_show_a_tenants_viewer_their_traffic_and_nothing_that_is_not_theirs()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithPeople($"{{ name: mine, password: {Hash}, tenants: [acme] }}"));
        await gateway.BusyAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.Page.GotoAsync("/exchanges");
        await visitor.Page.GetByLabel("Name").FillAsync("mine");
        await visitor.Page.GetByLabel("Password").FillAsync(Password);
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.LandsAtAsync("**/exchanges");
        await visitor.OpenAsync("/exchanges?tail=on");
        await visitor.HasAsync(5, "main tbody tr");
        Assert.Equal(0, await visitor.Page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Configuration" }).CountAsync());
        await visitor.OpenAsync("/configuration");
        await visitor.SeesAsync("You may not see this.");
        Assert.DoesNotContain("In force", await visitor.Page.InnerTextAsync("main"), StringComparison.Ordinal);
        await visitor.OpenAsync("/audit");
        await visitor.SeesAsync("You may not see this.");
        await visitor.OpenAsync("/egress/echo");
        Assert.DoesNotContain("1000/1m", await visitor.Page.InnerTextAsync("main"), StringComparison.Ordinal);
        visitor.HasNoComplaint();
    }

    [Fact]
    public async Task A_wrong_password_is_slowed_down_and_everything_is_in_the_audit_log()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithPeople($"{{ name: ana, password: {Hash}, role: admin }}"));
        using var client = Client();
        var guesses = 0;
        HttpStatusCode status;
        string said;
        do
        {
            for (var i = 0; i < 4; i++)
            {
                Assert.Contains("Name or password is wrong.", await TryAsync(client, gateway.Root, "ana", "guess " + guesses++), StringComparison.Ordinal);
            }

            // It has to wait a second. On a machine that needs longer for this the password is taken, and everything begins anew.
            using var answer = await PostFormAsync(client, gateway.Root, "ana", Password);
            (status, said) = (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancellation));
        }
        while (status == HttpStatusCode.SeeOther && guesses < 12);

        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Contains("Too many wrong passwords.", said, StringComparison.Ordinal);
        var session = await SignInAsync(client, gateway.Root, "ana", waits: true);
        using var purge = Request(gateway.Root + "/api/v1/cache/purge", session);
        purge.Method = HttpMethod.Post;
        purge.Content = new StringContent("""{ "api": "echo" }""", System.Text.Encoding.UTF8, "application/json");
        using var purged = await client.SendAsync(purge, Cancellation);
        Assert.Equal(HttpStatusCode.OK, purged.StatusCode);
        using var audit = await JsonAsync(client, gateway.Root + "/api/v1/audit", session);
        var entries = audit.RootElement.GetProperty("audit").EnumerateArray().Select(entry => $"{entry.GetProperty("who")} {entry.GetProperty("action")} {entry.GetProperty("detail")} {entry.GetProperty("succeeded")}").ToList();
        Assert.Equal("ana purge api=echo True", entries[0]);
        Assert.Contains("ana sign_in  True", entries);
        Assert.Equal(guesses, entries.Count(entry => entry == "ana sign_in Name or password is wrong. False"));
    }

    [Fact]
    public async Task A_reload_that_takes_somebody_out_closes_the_pages_that_they_have_open()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithPeople($"{{ name: ana, password: {Hash} }}"));
        using var client = Client();
        var session = await SignInAsync(client, gateway.Root, "ana");
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Origin", gateway.Root);
        socket.Options.SetRequestHeader("Cookie", session);
        await socket.ConnectAsync(new Uri(gateway.Root.Replace("http:", "ws:", StringComparison.Ordinal) + "/_blazor"), Cancellation);
        Assert.DoesNotContain(gateway.Gateway.Reload($"listeners: {{ egress: {{ address: 127.0.0.1:0 }}, admin: {WithPeople($"{{ name: bob, password: {Hash} }}")} }}"), problem => problem.Severity == Configuration.ConfigSeverity.Error);

        await Assert.ThrowsAnyAsync<WebSocketException>(async () =>
        {
            while (true)
            {
                await socket.ReceiveAsync(new byte[1024], Cancellation);
            }
        });
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, gateway.Root + "/", session));
    }

    [Fact]
    public async Task Another_token_ends_what_was_opened_with_the_old_one()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        using var client = Client();
        using var request = Request(gateway.Root + "/api/v1/exchanges/tail", "");
        request.Headers.Authorization = new("Bearer", Token);
        using var tail = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var events = new StreamReader(await tail.Content.ReadAsStreamAsync(Cancellation));
        Assert.StartsWith(":", await events.ReadLineAsync(Cancellation), StringComparison.Ordinal);
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Origin", gateway.Root);
        socket.Options.SetRequestHeader("Authorization", "Bearer " + Token);
        await socket.ConnectAsync(new Uri(gateway.Root.Replace("http:", "ws:", StringComparison.Ordinal) + "/_blazor"), Cancellation);
        gateway.Gateway.Reload("listeners: { egress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0, token: another-token-of-length } }");

        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (await events.ReadLineAsync(Cancellation) is not null)
            {
            }

            throw new IOException("The end.");
        });
        await Assert.ThrowsAnyAsync<WebSocketException>(async () =>
        {
            while (true)
            {
                await socket.ReceiveAsync(new byte[1024], Cancellation);
            }
        });
    }

    [Fact]
    public async Task A_page_that_somebody_else_takes_up_shows_what_they_may_see()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithPeople($"{{ name: ana, password: {Hash}, role: admin }}, {{ name: mine, password: {Hash}, tenants: [acme] }}"));
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.Page.GotoAsync("/configuration");
        await SignInAsync(visitor.Page, "ana");
        await visitor.LandsAtAsync("**/configuration");
        await visitor.ComesAliveAsync();
        await visitor.SeesAsync("In force");
        var other = await visitor.Page.Context.NewPageAsync();
        await other.GotoAsync(gateway.Root + "/sign-in");
        await SignInAsync(other, "mine");

        // The first page's connection is gone with its session; it comes back by itself, as somebody else.
        await visitor.SeesAsync("You may not see this.");
        Assert.DoesNotContain("In force", await visitor.Page.InnerTextAsync("main"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_that_asks_before_its_browser_has_the_new_key_is_not_led_to_the_form()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithPeople($"{{ name: ana, password: {Hash}, role: admin }}, {{ name: mine, password: {Hash}, tenants: [acme] }}"));
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.Page.GotoAsync("/configuration");
        await SignInAsync(visitor.Page, "ana");
        await visitor.LandsAtAsync("**/configuration");
        await visitor.ComesAliveAsync();
        var asked = 0;
        await visitor.Page.RouteAsync("**/assets/dashboard.js", route => route.Request.Method == "HEAD" && Interlocked.Increment(ref asked) == 1
            ? route.FulfillAsync(new() { Status = 401 })
            : route.ContinueAsync());
        var other = await visitor.Page.Context.NewPageAsync();
        await other.GotoAsync(gateway.Root + "/sign-in");
        await SignInAsync(other, "mine");

        await visitor.SeesAsync("You may not see this.");
        Assert.InRange(Volatile.Read(ref asked), 1, int.MaxValue);
    }

    [Theory]
    [InlineData("StartCircuit")]
    [InlineData("UpdateRootComponents")]
    public async Task A_page_whose_connection_is_lost_before_it_came_alive_comes_alive_with_the_next(string last)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        var lost = 0;
        await visitor.Page.RouteWebSocketAsync("**/_blazor*", route =>
        {
            var server = route.ConnectToServer();
            route.OnMessage(message =>
            {
                if (message.Binary is not { } bytes)
                {
                    server.Send(message.Text!);
                }
                else if (System.Text.Encoding.Latin1.GetString(bytes).Contains(last, StringComparison.Ordinal) && Interlocked.Increment(ref lost) == 1)
                {
                    _ = route.CloseAsync();
                }
                else
                {
                    server.Send(bytes);
                }
            });
        });
        await visitor.Page.GotoAsync("/");

        await visitor.ComesAliveAsync();
        Assert.InRange(Volatile.Read(ref lost), 1, int.MaxValue);
    }

    [Fact]
    public async Task A_page_that_is_open_over_a_restart_goes_on_without_signing_in_and_its_sign_out_works()
    {
        var state = Directory.CreateTempSubdirectory("tidegate-state-").FullName;
        var admin = $"{{ address: 127.0.0.1:{TestPorts.Free()}, token: {Token} }}";
        var before = await SeenGateway.StartAsync(Cancellation, admin: admin, state: state);
        await using var visitor = await browser.VisitAsync(before.Root);
        await visitor.Page.GotoAsync("/sign-in?to=/configuration");
        await visitor.Page.GetByLabel("Admin token").FillAsync(Token);
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.LandsAtAsync("**/configuration");
        await visitor.Page.WaitForSelectorAsync("main[data-alive]");
        await visitor.Page.EvaluateAsync("window.isOld = true");
        await before.DisposeAsync();
        await visitor.SeesAsync("The connection to the gateway is lost.");
        await using (var after = await SeenGateway.StartAsync(Cancellation, admin: admin, state: state))
        {
            await visitor.Page.WaitForFunctionAsync("() => !window.isOld && document.querySelector('main[data-alive]')");
            Assert.EndsWith("/configuration", visitor.Page.Url, StringComparison.Ordinal);
            await visitor.Page.GetByRole(Microsoft.Playwright.AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
            await visitor.LandsAtAsync("**/sign-in");
        }

        Assert.Equal(["audit.jsonl"], Directory.EnumerateFiles(state).Select(Path.GetFileName));
        Directory.Delete(state, recursive: true);
    }

    [Fact]
    public async Task Forms_and_cookies_from_before_a_restart_work_after_it_and_who_signed_out_stays_so()
    {
        var state = Directory.CreateTempSubdirectory("tidegate-state-").FullName;
        using var client = Client();
        string session, other, formCookie;
        await using (var before = await SeenGateway.StartAsync(Cancellation, admin: WithToken, state: state))
        {
            session = await SignInAsync(client, before.Root);
            other = await SignInAsync(client, before.Root);
            using var form = await client.GetAsync(before.Root + "/sign-in", Cancellation);
            formCookie = form.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
            await SignOutAsync(client, before.Root, other);
        }

        await using (var after = await SeenGateway.StartAsync(Cancellation, admin: WithToken, state: state))
        {
            Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, after.Root + "/api/v1/status", session));
            Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, after.Root + "/api/v1/status", other));
            using var late = Request(after.Root + "/sign-in", formCookie);
            late.Method = HttpMethod.Post;
            late.Content = new FormUrlEncodedContent([new("token", Token), new("form", formCookie.Split('=')[1]), new("to", "/")]);
            using var answer = await client.SendAsync(late, Cancellation);
            Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
            await SignOutAsync(client, after.Root, session);
        }

        await using var last = await SeenGateway.StartAsync(Cancellation, admin: WithToken, state: state);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, last.Root + "/api/v1/status", session));
        Directory.Delete(state, recursive: true);
    }

    [Fact]
    public async Task Without_a_state_directory_sessions_end_with_the_process()
    {
        using var client = Client();
        string session;
        await using (var before = await SeenGateway.StartAsync(Cancellation, admin: WithToken))
        {
            session = await SignInAsync(client, before.Root);
        }

        await using var after = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, after.Root + "/api/v1/status", session));
    }

    private static async Task SignOutAsync(HttpClient client, string root, string session)
    {
        using var request = Request(root + "/sign-out", session);
        request.Method = HttpMethod.Post;
        request.Headers.Add("Origin", root);
        using var answer = await client.SendAsync(request, Cancellation);
        Assert.Equal("/sign-in", answer.Headers.Location?.ToString());
    }

    private static async Task SignInAsync(Microsoft.Playwright.IPage page, string name)
    {
        await page.GetByLabel("Name").FillAsync(name);
        await page.GetByLabel("Password").FillAsync(Password);
        await page.Keyboard.PressAsync("Enter");
    }

    [Fact]
    public async Task An_identity_provider_signs_people_in_with_the_role_that_their_groups_have()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        issuer.Groups = ["staff", "platform"];
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithOidc(issuer));
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.Page.GotoAsync("/configuration?last=6h");
        await visitor.Page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Sign in with 127.0.0.1" }).ClickAsync();
        await visitor.LandsAtAsync("**/configuration?last=6h");
        await visitor.OpenAsync("/audit");
        await visitor.SeesAsync("by the identity provider");
        await visitor.SeesAsync("ana@example.com");
        visitor.HasNoComplaint();
    }

    [Theory]
    [InlineData("no grant", "no grant of listeners.admin.sign_in.oidc lets you in")]
    [InlineData("for somebody else", "did not work")]
    public async Task Whom_the_provider_does_not_vouch_for_gets_no_session(string what, string expected)
    {
        await using var issuer = await FakeIssuer.StartAsync();
        issuer.Groups = what == "no grant" ? ["guests"] : ["platform"];
        issuer.Audience = what == "for somebody else" ? "another-client" : FakeIssuer.ClientId;
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithOidc(issuer));
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.Page.GotoAsync("/sign-in");
        await visitor.Page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Sign in with 127.0.0.1" }).ClickAsync();
        await visitor.SeesAsync(expected);
        Assert.DoesNotContain(await visitor.Page.Context.CookiesAsync(), cookie => cookie.Name == "__Host-tidegate");
    }

    [Fact]
    public async Task A_code_that_another_browser_began_with_is_not_taken()
    {
        await using var issuer = await FakeIssuer.StartAsync();
        issuer.Groups = ["platform"];
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithOidc(issuer));
        using var attacker = Client();
        using var begun = await attacker.GetAsync(gateway.Root + "/sign-in/oidc?to=/", Cancellation);
        using var atProvider = await attacker.GetAsync(begun.Headers.Location, Cancellation);
        using var victim = Client();
        using var answer = await victim.GetAsync(atProvider.Headers.Location, Cancellation);

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.DoesNotContain(answer.Headers.Where(header => header.Key == "Set-Cookie").SelectMany(header => header.Value), cookie => cookie.StartsWith("__Host-tidegate=", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/api/v1/status", 403)]
    [InlineData("/metrics", 403)]
    [InlineData("/livez", 200)]
    public async Task Another_sites_page_cannot_ask_the_api(string path, int status)
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation);
        using var client = Client();
        using var request = Request(gateway.Root + path, "");
        request.Headers.Add("Sec-Fetch-Site", "cross-site");
        using var answer = await client.SendAsync(request, Cancellation);

        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Fact]
    public async Task A_form_that_is_too_large_is_refused_as_that()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        using var client = Client();
        using var answer = await client.PostAsync(gateway.Root + "/sign-in", new FormUrlEncodedContent([new("token", new string('x', 5_000))]), Cancellation);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
    }

    /// <summary>Of the next exchange that a tail shows; empty when only so many signs of life come.</summary>
    private static async Task<string> NextTenantAsync(StreamReader events, int signsOfLife)
    {
        while (await events.ReadLineAsync(Cancellation) is { } line)
        {
            if (line.StartsWith("data: {", StringComparison.Ordinal))
            {
                using var exchange = System.Text.Json.JsonDocument.Parse(line["data: ".Length..]);
                return exchange.RootElement.TryGetProperty("tenant", out var tenant) ? tenant.GetString()! : "none";
            }

            if (line == ":" && --signsOfLife == 0)
            {
                return "";
            }
        }

        return "the end";
    }

    private static HttpClient Client() => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });

    private static string WithPeople(string people) => $"{{ address: 127.0.0.1:0, sign_in: {{ users: [{people}] }} }}";

    private static string WithOidc(FakeIssuer issuer) =>
        $"{{ address: 127.0.0.1:0, sign_in: {{ oidc: {{ issuer: \"{issuer.Issuer}\", client_id: {FakeIssuer.ClientId}, grants: [{{ value: staff }}, {{ value: platform, role: admin }}] }} }} }}";

    private static List<(string Tenant, long Calls)> Groups(System.Text.Json.JsonDocument sums) =>
        [.. sums.RootElement.GetProperty("groups").EnumerateArray().Select(group => (group.GetProperty("tenant").GetString()!, group.GetProperty("total").GetProperty("exchanges").GetInt64()))];

    private static async Task<System.Text.Json.JsonDocument> JsonAsync(HttpClient client, string url, string cookie)
    {
        using var request = Request(url, cookie);
        using var answer = await client.SendAsync(request, Cancellation);
        var text = await answer.Content.ReadAsStringAsync(Cancellation);
        Assert.True(answer.IsSuccessStatusCode, text);
        return System.Text.Json.JsonDocument.Parse(text);
    }

    /// <summary>Sums are read from the disk, where they are within a second.</summary>
    private static async Task<System.Text.Json.JsonDocument> UntilAsync(Func<Task<System.Text.Json.JsonDocument>> ask, Func<System.Text.Json.JsonDocument, bool> isDone)
    {
        for (var i = 0; ; i++)
        {
            var answer = await ask();
            if (isDone(answer) || i == 600)
            {
                return answer;
            }

            answer.Dispose();
            await Task.Delay(100, Cancellation);
        }
    }

    private static HttpRequestMessage Request(string url, string cookie)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (cookie.Length > 0)
        {
            request.Headers.Add("Cookie", cookie);
        }

        return request;
    }

    private static async Task<HttpResponseMessage> PostFormAsync(HttpClient client, string root, string name, string password)
    {
        using var form = await client.GetAsync(root + "/sign-in", Cancellation);
        var cookie = form.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        using var request = new HttpRequestMessage(HttpMethod.Post, root + "/sign-in");
        request.Headers.Add("Cookie", cookie);
        request.Content = new FormUrlEncodedContent([new("user", name), new("password", password), new("form", cookie.Split('=')[1]), new("to", "/")]);
        return await client.SendAsync(request, Cancellation);
    }

    private static async Task<string> TryAsync(HttpClient client, string root, string name, string password)
    {
        using var answer = await PostFormAsync(client, root, name, password);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        return await answer.Content.ReadAsStringAsync(Cancellation);
    }

    private static async Task<string> SignInAsync(HttpClient client, string root, string name, bool waits = false)
    {
        for (var i = 0; ; i++)
        {
            using var answer = await PostFormAsync(client, root, name, Password);
            if (waits && i < 600 && answer.StatusCode == HttpStatusCode.Unauthorized)
            {
                await Task.Delay(100, Cancellation);
                continue;
            }

            Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
            return answer.Headers.GetValues("Set-Cookie").Single(header => header.StartsWith("__Host-tidegate=", StringComparison.Ordinal)).Split(';')[0];
        }
    }

    private static async Task<string> SignInAsync(HttpClient client, string root)
    {
        using var form = await client.GetAsync(root + "/sign-in", Cancellation);
        var cookie = form.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        using var request = new HttpRequestMessage(HttpMethod.Post, root + "/sign-in");
        request.Headers.Add("Cookie", cookie);
        request.Content = new FormUrlEncodedContent([new("token", Token), new("form", cookie.Split('=')[1]), new("to", "/")]);
        using var answer = await client.SendAsync(request, Cancellation);
        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        return answer.Headers.GetValues("Set-Cookie").Single(header => header.StartsWith("__Host-tidegate=", StringComparison.Ordinal)).Split(';')[0];
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string url, string cookie, string? origin = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (cookie.Length > 0)
        {
            request.Headers.Add("Cookie", cookie);
        }

        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        using var answer = await client.SendAsync(request, Cancellation);
        return answer.StatusCode;
    }
}
