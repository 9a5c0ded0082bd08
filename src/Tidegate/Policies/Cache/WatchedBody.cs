using System.Buffers.Binary;
using System.Security.Cryptography;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Content whose hash is taken as its client reads it. What is not read to its end says nothing.</summary>
internal sealed class WatchedBody(MessageBody inner, CacheAdvice advice, UInt128 key, TimeSpan own) : MessageBody
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _bytes;
    private bool _isOver;

    public override long? Length => inner.Length;

    public override bool HasBytes => inner.HasBytes;

    public override HeaderList? Trailers => inner.Trailers;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        if (_isOver)
        {
            return read;
        }

        _hash.AppendData(buffer.Span[..read]);
        _bytes += read;

        // Whoever knows the length does not always read the end.
        if (read == 0 || _bytes == inner.Length)
        {
            _isOver = true;
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            _hash.GetHashAndReset(hash);
            advice.Add(key, BinaryPrimitives.ReadUInt128LittleEndian(hash), own > TimeSpan.Zero ? own : TimeSpan.Zero, _bytes);
        }

        return read;
    }

    public override ValueTask DisposeAsync()
    {
        _isOver = true;
        _hash.Dispose();
        return inner.DisposeAsync();
    }
}
