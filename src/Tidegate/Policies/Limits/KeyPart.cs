using System.Net.Sockets;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits;

/// <summary>Something of an exchange that keeps one count apart from another. Written as bytes, because that is what is hashed.</summary>
/// <param name="Kind">What.</param>
/// <param name="Name">The field's name, in lower case, for <see cref="KeyPartKind.Header"/>.</param>
/// <param name="Segment">Which segment of the path, from 0, for <see cref="KeyPartKind.Path"/>.</param>
internal sealed record KeyPart(KeyPartKind Kind, string Name = "", int Segment = 0)
{
    // An IPv6 subscriber has at least a /64 of its own: whole addresses would give it as many counts as it likes (RFC 6177).
    private const int Network6Bytes = 8;

    private readonly byte[] _name = Encoding.ASCII.GetBytes(Name);

    /// <summary>As the configuration writes it.</summary>
    public string Text => Kind switch
    {
        KeyPartKind.ClientAddress => "client_address",
        KeyPartKind.Header => "header:" + Name,
        KeyPartKind.Path => "path:" + Name,
        _ => Kind.ToString().ToLowerInvariant(),
    };

    /// <summary>Writes the part's value.</summary>
    /// <returns>How many bytes; -1 when they do not fit.</returns>
    public int Write(Exchange exchange, Span<byte> destination)
    {
        switch (Kind)
        {
            case KeyPartKind.Consumer:
                return Write(exchange.Consumer.Name, destination);
            case KeyPartKind.Tenant:
                return Write(exchange.Consumer.Tenant, destination);
            case KeyPartKind.Environment:
                return Write(exchange.Consumer.Environment, destination);
            case KeyPartKind.Endpoint:
                return Write(exchange.EndpointName, destination);
            case KeyPartKind.Host:
                return Write(exchange.Target.Host, destination);
            case KeyPartKind.Header:
                exchange.RequestHeaders.TryGet(_name, out var value);
                return value.TryCopyTo(destination) ? value.Length : -1;
            case KeyPartKind.Path:
                return Write(SegmentOf(exchange.Target.Path, Segment), destination);
            default:
                return WriteAddress(exchange, destination);
        }
    }

    private static int WriteAddress(Exchange exchange, Span<byte> destination)
    {
        var address = exchange.ClientAddress;
        if (!address.TryWriteBytes(destination, out var length))
        {
            return -1;
        }

        return address.AddressFamily == AddressFamily.InterNetworkV6 && !address.IsIPv4MappedToIPv6 ? Network6Bytes : length;
    }

    private static int Write(ReadOnlySpan<char> text, Span<byte> destination) => Encoding.UTF8.TryGetBytes(text, destination, out var length) ? length : -1;

    private static ReadOnlySpan<char> SegmentOf(string path, int segment)
    {
        var rest = path.AsSpan();
        while (true)
        {
            if (rest.IsEmpty)
            {
                return default;
            }

            rest = rest[1..];
            var slash = rest.IndexOf('/');
            if (segment-- == 0)
            {
                return slash < 0 ? rest : rest[..slash];
            }

            rest = slash < 0 ? default : rest[slash..];
        }
    }
}

/// <summary>What of an exchange can keep counts apart.</summary>
internal enum KeyPartKind
{
    Consumer,
    Tenant,
    Environment,

    /// <summary>The endpoint of an API's limit.</summary>
    Endpoint,

    /// <summary>The host that is called, of an API with several.</summary>
    Host,

    /// <summary>The client's address, of IPv6 its /64.</summary>
    ClientAddress,
    Header,
    Path,
}
