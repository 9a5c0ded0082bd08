using System.Buffers.Binary;
using System.Text;

namespace Tidegate.Control.Store.Log;

/// <summary>Reads what a <see cref="ByteSink"/> wrote. Whatever the bytes are, it reads within them or throws.</summary>
internal ref struct ByteSource(ReadOnlySpan<byte> bytes, TextPool texts)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsEmpty => _rest.IsEmpty;

    /// <summary>What is not read yet, for whoever reads many small numbers itself.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>So much of <see cref="Rest"/> was read.</summary>
    public void Skip(int count) => _rest = _rest[count..];

    /// <exception cref="InvalidDataException">The bytes end before it does, or it does not end.</exception>
    public long Number()
    {
        var value = Unsigned();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <exception cref="InvalidDataException">The bytes end before it does, or it does not end.</exception>
    public ulong Unsigned()
    {
        if (!_rest.IsEmpty && _rest[0] < 0x80)
        {
            // As most are.
            var small = _rest[0];
            _rest = _rest[1..];
            return small;
        }

        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var part = Take(1)[0];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("A number does not end.");
    }

    /// <exception cref="InvalidDataException">It is more than it can be.</exception>
    public int Count(int most) => Unsigned() is var value && value <= (ulong)most ? (int)value : throw new InvalidDataException($"{value} are more than the {most} that there can be.");

    public ulong Fixed() => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));

    /// <exception cref="InvalidDataException">It is no amount.</exception>
    public decimal Amount()
    {
        var (low, high, form) = (Unsigned(), Unsigned(), Unsigned());
        try
        {
            return new decimal([(int)low, (int)(low >> 32), unchecked((int)(uint)high), unchecked((int)(uint)form)]);
        }
        catch (Exception wrong) when (wrong is ArgumentException)
        {
            throw new InvalidDataException("An amount has a form that no amount has.", wrong);
        }
    }

    public string Text() => texts.Of(Bytes());

    public ReadOnlySpan<byte> Bytes() => Take(Count(int.MaxValue));

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            throw new InvalidDataException("The bytes end too early.");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}

/// <summary>Texts that come again and again are one string. Bounded: what does not fit is a string of its own.</summary>
internal sealed class TextPool
{
    private const int MaxTexts = 4_096;
    private const int MaxLength = 64;

    private readonly Dictionary<string, string> _texts = [];
    private readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    public TextPool() => _lookup = _texts.GetAlternateLookup<ReadOnlySpan<char>>();

    public string Of(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
        {
            return "";
        }

        if (utf8.Length > MaxLength)
        {
            return Encoding.UTF8.GetString(utf8);
        }

        Span<char> text = stackalloc char[MaxLength];
        text = text[..Encoding.UTF8.GetChars(utf8, text)];
        if (_lookup.TryGetValue(text, out var known))
        {
            return known;
        }

        var added = text.ToString();
        if (_texts.Count < MaxTexts)
        {
            _texts.Add(added, added);
        }

        return added;
    }
}
