using System.Buffers.Binary;
using System.Security.Cryptography;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Content whose hash is taken as its client reads it. What is not read to its end says nothing.</summary>
internal sealed class WatchedBody(Exchange exchange, CacheAdvice advice, UInt128 key, TimeSpan own) : MessageBody
{
    private readonly MessageBody _inner = exchange.ResponseBody;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _bytes;
    private bool _isOver;
    private UInt128? _whole;

    public override long? Length => _inner.Length;

    public override bool HasBytes => _inner.HasBytes;

    public override HeaderList? Trailers => _inner.Trailers;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await _inner.ReadAsync(buffer, cancellationToken);
        if (_isOver)
        {
            return read;
        }

        _hash.AppendData(buffer.Span[..read]);
        _bytes += read;

        // Whoever knows the length does not always read the end.
        if (read == 0 || _bytes == _inner.Length)
        {
            _isOver = true;
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            _hash.GetHashAndReset(hash);
            _whole = BinaryPrimitives.ReadUInt128LittleEndian(hash);
        }

        return read;
    }

    public override async ValueTask DisposeAsync()
    {
        _isOver = true;
        _hash.Dispose();
        await _inner.DisposeAsync();
        if (_whole is { } whole)
        {
            // What a call costs is known when its answer is over.
            _whole = null;
            advice.Add(key, whole, own > TimeSpan.Zero ? own : TimeSpan.Zero, _bytes, exchange.Cost);
        }
    }
}
