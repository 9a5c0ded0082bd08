using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Tidegate.Configuration;

namespace Tidegate.Control.Admin;

/// <summary>Who may ask the admin listener.</summary>
internal static class AdminGuard
{
    private const string Scheme = "Bearer ";

    /// <summary>
    /// Whether a request's Host may be answered. On loopback the address is the only protection, and a web page can make its visitor's
    /// browser call loopback under a name of its own (DNS rebinding): such a name is not ours. Elsewhere the token protects.
    /// </summary>
    public static bool AllowsHost(HostString host, IPEndPoint listensOn)
    {
        if (!IPAddress.IsLoopback(listensOn.Address))
        {
            return true;
        }

        // A tunnel to this port may have another number at its far end, so the port says nothing.
        var name = host.Host;
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(name.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
    }

    /// <summary>Whether a browser says that another site's page asks. It could not read the answer, but asking alone costs, and without a token anybody's page could.</summary>
    public static bool IsFromElsewhere(HttpRequest request) =>
        request.Headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site"
        || (request.Headers.Origin is { Count: > 0 } origin && !(origin.Count == 1 && Uri.TryCreate(origin[0], UriKind.Absolute, out var from) && from.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase)));

    /// <summary>Whether a request carries the token; always when none is configured.</summary>
    public static bool HasToken(HttpRequest request, Secret? token)
    {
        if (token is null)
        {
            return true;
        }

        // Two Authorization fields are as good as none.
        var fields = request.Headers.Authorization;
        if (fields.Count != 1 || fields[0] is not { } value || !value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        return IsSame(value[Scheme.Length..].Trim(), token.Value);
    }

    /// <summary>Compares in a time that says nothing about either text.</summary>
    public static bool IsSame(string presented, string expected)
    {
        // Hashes have one length, so that not even the text's length shows in the time.
        Span<byte> presentedHash = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> expectedHash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(presented), presentedHash);
        SHA256.HashData(Encoding.UTF8.GetBytes(expected), expectedHash);
        return CryptographicOperations.FixedTimeEquals(presentedHash, expectedHash);
    }
}
