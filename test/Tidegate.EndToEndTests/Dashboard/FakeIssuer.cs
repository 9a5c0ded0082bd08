using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Tidegate.EndToEndTests.Dashboard;

/// <summary>An OpenID Connect provider that knows everybody as whoever the test says, and is strict about PKCE and codes.</summary>
internal sealed class FakeIssuer : IAsyncDisposable
{
    public const string ClientId = "tidegate";

    private readonly WebApplication _application;
    private readonly RsaSecurityKey _key = new(RSA.Create(2048)) { KeyId = "one" };
    private readonly ConcurrentDictionary<string, (string Nonce, string Challenge, string RedirectUri)> _codes = new();

    private FakeIssuer(WebApplication application) => _application = application;

    /// <summary>As in its tokens.</summary>
    public string Issuer { get; private set; } = "";

    /// <summary>Who signs in there.</summary>
    public string User { get; set; } = "ana@example.com";

    /// <summary>Of the user.</summary>
    public string[] Groups { get; set; } = [];

    /// <summary>What its tokens are for.</summary>
    public string Audience { get; set; } = ClientId;

    public static async Task<FakeIssuer> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        var application = builder.Build();
        var issuer = new FakeIssuer(application);
        application.Run(issuer.AnswerAsync);
        await application.StartAsync();
        issuer.Issuer = application.Urls.Single();
        return issuer;
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private Task AnswerAsync(HttpContext context) => context.Request.Path.Value switch
    {
        "/.well-known/openid-configuration" => context.Response.WriteAsync($$"""
            {
              "issuer": "{{Issuer}}", "authorization_endpoint": "{{Issuer}}/authorize", "token_endpoint": "{{Issuer}}/token", "jwks_uri": "{{Issuer}}/keys",
              "response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]
            }
            """),
        "/keys" => KeysAsync(context),
        "/authorize" => AuthorizeAsync(context),
        "/token" => TokenAsync(context),
        _ => Task.FromResult(context.Response.StatusCode = 404),
    };

    private Task KeysAsync(HttpContext context)
    {
        var key = _key.Rsa.ExportParameters(false);
        return context.Response.WriteAsync($$"""{ "keys": [{ "kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": "{{Base64UrlEncoder.Encode(key.Modulus)}}", "e": "{{Base64UrlEncoder.Encode(key.Exponent)}}" }] }""");
    }

    private Task AuthorizeAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var code = Convert.ToHexString(RandomNumberGenerator.GetBytes(8));
        _codes[code] = (query["nonce"].ToString(), query["code_challenge"].ToString(), query["redirect_uri"].ToString());
        context.Response.Redirect($"{query["redirect_uri"]}?code={code}&state={Uri.EscapeDataString(query["state"].ToString())}");
        return Task.CompletedTask;
    }

    private async Task TokenAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        var isKnown = _codes.TryRemove(form["code"].ToString(), out var known);
        if (!isKnown || known.RedirectUri != form["redirect_uri"] || Base64UrlEncoder.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString()))) != known.Challenge)
        {
            context.Response.StatusCode = 400;
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync("""{ "error": "invalid_grant" }""");
            return;
        }

        var token = new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Audience = Audience,
            Expires = DateTime.UtcNow.AddMinutes(5),
            SigningCredentials = new SigningCredentials(_key, SecurityAlgorithms.RsaSha256),
            Claims = new Dictionary<string, object> { ["sub"] = "u1", ["preferred_username"] = User, ["groups"] = Groups, ["nonce"] = known.Nonce },
        });
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync($$"""{ "access_token": "x", "token_type": "Bearer", "id_token": "{{token}}" }""");
    }
}
