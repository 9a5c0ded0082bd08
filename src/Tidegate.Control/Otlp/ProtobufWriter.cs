using System.Buffers.Binary;
using System.Text;

namespace Tidegate.Control.Otlp;

/// <summary>Writes protobuf wire format, as much of it as OTLP needs. Keeps its memory between messages.</summary>
internal sealed class ProtobufWriter
{
    private const int VarintType = 0;
    private const int Fixed64Type = 1;
    private const int LengthType = 2;
    private const int Fixed32Type = 5;

    // A nested message's length is known only at its end. A varint may be longer than it must be, so four bytes are left for it: 256 MB.
    private const int LengthBytes = 4;

    private byte[] _buffer = new byte[16 * 1024];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _buffer.AsMemory(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Integers, enums and booleans.</summary>
    public void Varint(int field, ulong value)
    {
        Tag(field, VarintType);
        Raw(value);
    }

    public void Fixed64(int field, ulong value)
    {
        Tag(field, Fixed64Type);
        BinaryPrimitives.WriteUInt64LittleEndian(Take(8), value);
    }

    public void Fixed32(int field, uint value)
    {
        Tag(field, Fixed32Type);
        BinaryPrimitives.WriteUInt32LittleEndian(Take(4), value);
    }

    public void Double(int field, double value) => Fixed64(field, BitConverter.DoubleToUInt64Bits(value));

    public void String(int field, ReadOnlySpan<char> text)
    {
        Tag(field, LengthType);
        Raw((ulong)Encoding.UTF8.GetByteCount(text));
        Encoding.UTF8.GetBytes(text, Take(Encoding.UTF8.GetByteCount(text)));
    }

    /// <summary>A number as bytes, the most significant first: how OTLP carries ids.</summary>
    public void Id(int field, ulong id)
    {
        Tag(field, LengthType);
        Raw(8);
        BinaryPrimitives.WriteUInt64BigEndian(Take(8), id);
    }

    /// <summary>The same of sixteen bytes.</summary>
    public void Id(int field, ulong high, ulong low)
    {
        Tag(field, LengthType);
        Raw(16);
        BinaryPrimitives.WriteUInt64BigEndian(Take(8), high);
        BinaryPrimitives.WriteUInt64BigEndian(Take(8), low);
    }

    /// <summary>A packed list of numbers of eight bytes.</summary>
    public void PackedFixed64(int field, ReadOnlySpan<long> values)
    {
        Tag(field, LengthType);
        Raw((ulong)values.Length * 8);
        foreach (var value in values)
        {
            BinaryPrimitives.WriteInt64LittleEndian(Take(8), value);
        }
    }

    /// <summary>A packed list of doubles.</summary>
    public void PackedDouble(int field, ReadOnlySpan<double> values)
    {
        Tag(field, LengthType);
        Raw((ulong)values.Length * 8);
        foreach (var value in values)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(Take(8), value);
        }
    }

    /// <summary>Begins a nested message.</summary>
    /// <returns>For <see cref="End"/>.</returns>
    public int Begin(int field)
    {
        Tag(field, LengthType);
        Take(LengthBytes);
        return Length;
    }

    /// <summary>Ends the nested message that began there.</summary>
    public void End(int start)
    {
        var length = Length - start;
        var place = _buffer.AsSpan(start - LengthBytes, LengthBytes);
        for (var i = 0; i < LengthBytes; i++, length >>= 7)
        {
            place[i] = (byte)((length & 0x7F) | (i + 1 < LengthBytes ? 0x80 : 0));
        }
    }

    private void Tag(int field, int type) => Raw((ulong)((field << 3) | type));

    private void Raw(ulong value)
    {
        while (value >= 0x80)
        {
            Take(1)[0] = (byte)(value | 0x80);
            value >>= 7;
        }

        Take(1)[0] = (byte)value;
    }

    private Span<byte> Take(int count)
    {
        if (_buffer.Length - Length < count)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, Length + count));
        }

        Length += count;
        return _buffer.AsSpan(Length - count, count);
    }
}
