using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
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

    /// <summary>The longest value that is used as it is.</summary>
    public const int MaxBytes = 64;

    // The same in every process, because counts may outlive one. That two long values meet is as unlikely as for any hash of 128 bits, and cannot be sought: what is
    // counted is found under a hash of this one with a secret key.
    private static readonly UInt128 Secret = new(0x7469646567617465, 0x6C6F6E672076616C);

    private readonly byte[] _name = Encoding.ASCII.GetBytes(Name);

    /// <summary>As the configuration writes it.</summary>
    public string Text => Kind switch
    {
        KeyPartKind.ClientAddress => "client_address",
        KeyPartKind.Header => "header:" + Name,
        KeyPartKind.Path => "path:" + Name,
        KeyPartKind.WholePath => "path",
        _ => Kind.ToString().ToLowerInvariant(),
    };

    /// <summary>Callers may send what they like there; the others say who they are, where they come from, or what is configured.</summary>
    public bool IsChosenByCallers => Kind is KeyPartKind.Header or KeyPartKind.Path or KeyPartKind.WholePath or KeyPartKind.Host or KeyPartKind.Method;

    /// <summary>Whether it is the same of every exchange as another part.</summary>
    public bool IsSame(KeyPart other) => Kind == other.Kind && Segment == other.Segment && Name == other.Name;

    /// <summary>Writes the part's value.</summary>
    /// <param name="exchange">Whose.</param>
    /// <param name="destination">At least <see cref="MaxBytes"/>.</param>
    /// <returns>How many bytes. What is long is a hash of it: whoever sends it decides how long it is.</returns>
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
            case KeyPartKind.Method:
                return Write(exchange.Method, destination);
            case KeyPartKind.WholePath:
                return Write(exchange.Target.Path, destination);
            case KeyPartKind.Header:
                exchange.RequestHeaders.TryGet(_name, out var value);
                return Write(value, destination);
            case KeyPartKind.Credential:
                return Write(exchange.ProviderKey?.Name ?? "", destination);
            case KeyPartKind.Path:
                return Write(SegmentOf(exchange.Target.Path, Segment), destination);
            default:
                return Write(exchange.ClientAddress, destination);
        }
    }

    /// <summary>Writes a value that a record has, as <see cref="Write(Exchange, Span{byte})"/> wrote the exchange's.</summary>
    public int Write(string value, Span<byte> destination) =>
        Kind == KeyPartKind.ClientAddress ? IPAddress.TryParse(value, out var address) ? Write(address, destination) : 0 : Write(value.AsSpan(), destination);

    /// <summary>Writes a value that the configuration names, as <see cref="Write(Exchange, Span{byte})"/> would write the exchange's.</summary>
    /// <returns>False when no exchange has such a value.</returns>
    public bool TryEncode(string value, Span<byte> destination, out int length)
    {
        length = 0;
        if (Kind == KeyPartKind.ClientAddress)
        {
            if (IPAddress.TryParse(value, out var address))
            {
                length = Write(address, destination);
            }
        }
        else if (!Encoding.UTF8.TryGetBytes(Kind == KeyPartKind.Host ? value.ToLowerInvariant() : value, destination[..MaxBytes], out length))
        {
            length = 0;
        }

        return length > 0;
    }

    private static int Write(IPAddress address, Span<byte> destination)
    {
        address.TryWriteBytes(destination, out var length);
        return address.AddressFamily == AddressFamily.InterNetworkV6 && !address.IsIPv4MappedToIPv6 ? Network6Bytes : length;
    }

    private static int Write(ReadOnlySpan<char> text, Span<byte> destination) =>
        Encoding.UTF8.TryGetBytes(text, destination[..MaxBytes], out var length) ? length : WriteHash(MemoryMarshal.AsBytes(text), destination);

    private static int Write(ReadOnlySpan<byte> value, Span<byte> destination)
    {
        if (value.Length > MaxBytes)
        {
            return WriteHash(value, destination);
        }

        value.CopyTo(destination);
        return value.Length;
    }

    private static int WriteHash(ReadOnlySpan<byte> value, Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(destination, SipHash.Compute(Secret, value));
        return 16;
    }

    /// <summary>A segment of a path, from 0; empty when it has no such one.</summary>
    public static ReadOnlySpan<char> SegmentOf(string path, int segment)
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

    /// <summary>One segment of the path.</summary>
    Path,

    /// <summary>All of the path.</summary>
    WholePath,
    Method,

    /// <summary>Which of an API's several keys it is sent with.</summary>
    Credential,
}
