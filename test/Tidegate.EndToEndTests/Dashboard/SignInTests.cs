using System.Net;
using System.Net.WebSockets;
using Xunit;

namespace Tidegate.EndToEndTests.Dashboard;

/// <summary>Who sees the dashboard.</summary>
public sealed class SignInTests(Browser browser) : IClassFixture<Browser>
{
    private const string Token = "a-token-of-some-length";
    private const string WithToken = "{ address: 127.0.0.1:0, token: " + Token + " }";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Where_there_is_a_token_people_sign_in_with_it_and_out()
    {
        await using var gateway = await SeenGateway.StartAsync(Cancellation, admin: WithToken);
        await using var visitor = await browser.VisitAsync(gateway.Root);
        await visitor.Page.GotoAsync("/egress?last=6h");
        await visitor.Page.WaitForURLAsync("**/sign-in?to=*");
        await visitor.Page.GetByLabel("Admin token").FillAsync("not-the-token-at-all");
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.SeesAsync("That is not the token");
        await visitor.Page.GetByLabel("Admin token").FillAsync(Token);
        await visitor.Page.Keyboard.PressAsync("Enter");
        await visitor.Page.WaitForURLAsync("**/egress?last=6h");
        await visitor.OpenAsync("/egress");
        var session = (await visitor.Page.Context.CookiesAsync()).Single(cookie => cookie.Name == "__Host-tidegate");
        Assert.True(session.HttpOnly && session.Secure && session.SameSite == Microsoft.Playwright.SameSiteAttribute.Strict);
        Assert.Equal(["Failed to load resource: the server responded with a status of 401 (Unauthorized)"], visitor.Complaints);
        await visitor.Page.GetByRole(Microsoft.Playwright.AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await visitor.Page.WaitForURLAsync("**/sign-in");
        await visitor.Page.GotoAsync("/");
        await visitor.Page.WaitForURLAsync("**/sign-in?to=*");
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

        await visitor.Page.WaitForURLAsync(new System.Text.RegularExpressions.Regex("/sign-in.to=%2Fegress%3Flast%3D6h$"));
        await visitor.SeesAsync("Admin token");
    }

    [Theory]
    [InlineData("/", 401)]
    [InlineData("/assets/dashboard.js", 401)]
    [InlineData("/assets/dashboard.css", 200)]
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
