using System.Numerics;
using System.Runtime.InteropServices;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>
/// Remembers what raw targets became, for one thread: services call few URLs very often, and the same bytes on the same listener always mean the
/// same target. Only good targets are kept. Direct-mapped, so it is bounded, and bytes chosen to collide only cost their sender a parse.
/// </summary>
internal sealed class TargetCache
{
    // 1,024 entries of at most 2 KB; longer targets are rarely repeated.
    private const int Entries = 1024;
    private const int MaxKeyBytes = 512;

    [ThreadStatic]
    private static TargetCache? _ofThread;

    private readonly Entry?[] _entries = new Entry?[Entries];

    /// <summary>This thread's.</summary>
    public static TargetCache OfThread => _ofThread ??= new TargetCache();

    /// <summary>As <see cref="RequestTarget.Read"/>, which it asks about what it does not know.</summary>
    public TargetResult Read(Exchange exchange, ReadOnlySpan<byte> target, ReadOnlySpan<byte> host)
    {
        // A tunnel's target depends on its CONNECT, and is asked for once.
        if (exchange.IsTunnel || exchange.Connection.TunnelTarget is not null || target.Length + host.Length > MaxKeyBytes)
        {
            return RequestTarget.Read(exchange, target, host);
        }

        var kind = (exchange.Direction == Direction.Ingress ? 1 : 0) | (exchange.Connection.IsSecure ? 2 : 0) | (exchange.Method == "OPTIONS" ? 4 : 0);
        ref var entry = ref _entries[(Hash(target, (uint)kind + 1) ^ Hash(host, 7)) % Entries];
        if (entry is { } known && known.Kind == kind && known.Target.AsSpan().SequenceEqual(target) && known.Host.AsSpan().SequenceEqual(host))
        {
            exchange.BaseOrigin = known.BaseOrigin;
            return known.Canonical;
        }

        var read = RequestTarget.Read(exchange, target, host);
        if (read.IsTarget)
        {
            entry = new Entry(kind, target.ToArray(), host.ToArray(), read.Target, exchange.BaseOrigin);
        }

        return read;
    }

    private static uint Hash(ReadOnlySpan<byte> bytes, uint seed)
    {
        var hash = (ulong)seed * 0x9E3779B97F4A7C15;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            hash = BitOperations.RotateLeft(hash ^ word, 27) * 0x9E3779B97F4A7C15;
        }

        foreach (var rest in bytes[(bytes.Length & ~7)..])
        {
            hash = BitOperations.RotateLeft(hash ^ rest, 27) * 0x9E3779B97F4A7C15;
        }

        return (uint)(hash >> 32);
    }

    private sealed record Entry(int Kind, byte[] Target, byte[] Host, ExchangeTarget Canonical, string? BaseOrigin);
}
