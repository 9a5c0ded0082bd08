using System.Net;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>Whom a request comes from, as the proxies in front of us say: <c>X-Forwarded-For</c> and <c>-Proto</c>, else <c>Forwarded</c> (RFC 7239).</summary>
internal static class ForwardedFields
{
    // Bounds the work on a hostile list; more proxies in a row than this is no real network.
    private const int MaxHops = 32;

    /// <summary>Replaces what the request says of its way by what is believed of it, and sets <see cref="Exchange.ClientAddress"/>.</summary>
    public static void Rewrite(Exchange exchange, IReadOnlyList<IPNetwork> trusted)
    {
        var fields = exchange.RequestHeaders;
        var peer = exchange.Connection.PeerAddress;
        var isTrusted = IsTrusted(peer, trusted);
        var chain = isTrusted ? All(fields, KnownHeader.XForwardedFor) : null;
        var scheme = isTrusted ? LastItem(All(fields, KnownHeader.XForwardedProto)) : null;
        if (isTrusted && chain is null && All(fields, KnownHeader.Forwarded) is { } forwarded)
        {
            chain = Parameters(forwarded, "for");
            scheme ??= LastItem(Parameters(forwarded, "proto"));
        }

        Remove(fields);
        exchange.ClientAddress = chain is null ? peer : ClientOf(chain, peer, trusted);
        fields.Add(KnownHeader.XForwardedFor, chain is null ? exchange.Connection.PeerText : chain + ", " + exchange.Connection.PeerText);
        fields.Add(KnownHeader.XForwardedProto, scheme is "http" or "https" ? scheme : exchange.Connection.IsSecure ? "https" : "http");
        fields.Add(KnownHeader.XForwardedHost, exchange.Target.Authority);
    }

    /// <summary>Removes every field that says something of the way.</summary>
    public static void Remove(HeaderList fields)
    {
        for (var i = fields.Count - 1; i >= 0; i--)
        {
            if (fields[i].Known is KnownHeader.Forwarded or KnownHeader.XForwardedFor or KnownHeader.XForwardedHost or KnownHeader.XForwardedPort or KnownHeader.XForwardedProto or KnownHeader.XRealIp)
            {
                fields.RemoveAt(i);
            }
        }
    }

    /// <summary>From the right, the first address that is not one of our proxies: everything left of it can be made up.</summary>
    private static IPAddress ClientOf(string chain, IPAddress peer, IReadOnlyList<IPNetwork> trusted)
    {
        var client = peer;
        var rest = chain.AsSpan();
        for (var hop = 0; hop < MaxHops && !rest.IsEmpty; hop++)
        {
            var comma = rest.LastIndexOf(',');
            if (!TryAddress(rest[(comma + 1)..].Trim(), out var address))
            {
                return client;
            }

            client = address;
            if (!IsTrusted(address, trusted))
            {
                return client;
            }

            rest = comma < 0 ? default : rest[..comma];
        }

        return client;
    }

    /// <summary>With or without a port, as some balancers write it.</summary>
    private static bool TryAddress(ReadOnlySpan<char> text, out IPAddress address)
    {
        // IPAddress takes a bare number too, which nobody means here.
        if (text.IndexOfAny('.', ':') >= 0 && (IPAddress.TryParse(text, out var plain) || (IPEndPoint.TryParse(text, out var endPoint) && (plain = endPoint.Address) is not null)))
        {
            address = plain!.IsIPv4MappedToIPv6 ? plain.MapToIPv4() : plain;
            return true;
        }

        address = IPAddress.None;
        return false;
    }

    private static bool IsTrusted(IPAddress address, IReadOnlyList<IPNetwork> trusted)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        for (var i = 0; i < trusted.Count; i++)
        {
            if (trusted[i].Contains(plain))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Every line of a field as one list (RFC 9110 5.3): a proxy may add a line of its own below the client's. Null without the field.</summary>
    private static string? All(HeaderList fields, KnownHeader name)
    {
        string? all = null;
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known == name)
            {
                var value = Encoding.Latin1.GetString(fields[i].Value);
                all = all is null ? value : all + ", " + value;
            }
        }

        return all;
    }

    private static string? LastItem(string? list) => list?[(list.LastIndexOf(',') + 1)..].Trim();

    /// <summary>One parameter of each element of a <c>Forwarded</c> list, in order; null when none has it. Quotes are not nested in what proxies write.</summary>
    private static string? Parameters(string forwarded, string name)
    {
        string? all = null;
        foreach (var part in forwarded.Split(',', ';'))
        {
            var equals = part.IndexOf('=');
            if (equals > 0 && part.AsSpan(0, equals).Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                var value = part[(equals + 1)..].Trim().Trim('"');
                all = all is null ? value : all + ", " + value;
            }
        }

        return all;
    }
}
