using System.Buffers.Binary;
using System.Text;

namespace Tidegate.Control.Store.Log;

/// <summary>Bytes that grow: whole numbers in as few as they need (LEB128), texts with their length before them. Not thread-safe.</summary>
internal sealed class ByteSink
{
    private byte[] _bytes = new byte[16 * 1024];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    public void Clear(int keep = 0) => Length = keep;

    /// <summary>Room for what is written later, once it is known.</summary>
    public Span<byte> Reserve(int count)
    {
        Need(count);
        Length += count;
        return _bytes.AsSpan(Length - count, count);
    }

    public Span<byte> At(int offset, int count) => _bytes.AsSpan(offset, count);

    public void Number(long value) => Number((ulong)((value << 1) ^ (value >> 63)));

    public void Number(ulong value)
    {
        Need(10);
        while (value >= 0x80)
        {
            _bytes[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _bytes[Length++] = (byte)value;
    }

    public void Fixed(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Reserve(sizeof(ulong)), value);

    /// <summary>To the digit.</summary>
    public void Amount(decimal amount)
    {
        Span<int> parts = stackalloc int[4];
        decimal.GetBits(amount, parts);
        Number((uint)parts[0] | ((ulong)(uint)parts[1] << 32));
        Number((ulong)(uint)parts[2]);
        Number((ulong)(uint)parts[3]);
    }

    public void Text(string text)
    {
        var count = Encoding.UTF8.GetByteCount(text);
        Number((ulong)count);
        Encoding.UTF8.GetBytes(text, Reserve(count));
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        Number((ulong)bytes.Length);
        bytes.CopyTo(Reserve(bytes.Length));
    }

    private void Need(int count)
    {
        if (_bytes.Length - Length < count)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
        }
    }
}
