using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// The request fields that an answer was chosen by (RFC 9111 4.1), with their values in a form in which equal meanings are equal bytes. Lines are joined as lists
/// are; only of fields whose syntax is known, white space goes too, and case or order where it means nothing.
/// </summary>
internal static class VaryKey
{
    // An answer that depends on more than this is never the right one twice.
    private const int MaxNames = 16;
    private const int MaxValueBytes = 4 * 1024;

    // Above any length that a value can have.
    private const ushort AbsentValue = ushort.MaxValue;

    /// <summary>Makes the key of an answer.</summary>
    /// <returns>False when it can be reused for no other request (<c>*</c>, or beyond the bounds).</returns>
    public static bool TryMake(HeaderList answer, HeaderList request, out byte[]? key)
    {
        key = null;
        if (!answer.Contains(KnownHeader.Vary))
        {
            return true;
        }

        var writer = new ArrayBufferWriter<byte>();
        var value = ArrayPool<byte>.Shared.Rent(MaxValueBytes);
        try
        {
            var names = 0;
            for (var i = 0; i < answer.Count; i++)
            {
                if (answer[i].Known != KnownHeader.Vary)
                {
                    continue;
                }

                foreach (var range in answer[i].Value.Split((byte)','))
                {
                    var name = answer[i].Value[range].Trim(" \t"u8);
                    if (name.IsEmpty)
                    {
                        continue;
                    }

                    if (name.SequenceEqual("*"u8) || ++names > MaxNames || name.Length > byte.MaxValue || !TryAdd(writer, name, request, value))
                    {
                        return false;
                    }
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(value, clearArray: true);
        }

        key = writer.WrittenCount == 0 ? null : writer.WrittenSpan.ToArray();
        return true;
    }

    /// <summary>Whether a request would have been answered the same.</summary>
    public static bool Matches(ReadOnlySpan<byte> key, HeaderList request)
    {
        if (key.IsEmpty)
        {
            return true;
        }

        Span<byte> small = stackalloc byte[512];
        var rest = key;
        while (!rest.IsEmpty)
        {
            var name = rest.Slice(1, rest[0]);
            rest = rest[(1 + name.Length)..];
            var stored = BinaryPrimitives.ReadUInt16LittleEndian(rest);
            var value = stored == AbsentValue ? default : rest.Slice(sizeof(ushort), stored);
            rest = rest[(sizeof(ushort) + value.Length)..];
            var length = Normalize(request, name, small);
            if (length == TooLong)
            {
                if (!MatchesLong(request, name, stored == AbsentValue, value))
                {
                    return false;
                }
            }
            else if (length == NotThere ? stored != AbsentValue : stored == AbsentValue || !small[..length].SequenceEqual(value))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A place for all requests that are answered the same, told by the names in a key and their own values.</summary>
    /// <param name="place">Where the key's answers are; what nobody outside knows.</param>
    /// <param name="key">Of an answer; empty when answers do not vary.</param>
    /// <param name="request">Whose values count.</param>
    /// <returns>The place itself where answers do not vary, or where the request is one that nothing is stored for.</returns>
    public static UInt128 VariantOf(UInt128 place, ReadOnlySpan<byte> key, HeaderList request)
    {
        if (key.IsEmpty)
        {
            return place;
        }

        var variant = place;
        var value = ArrayPool<byte>.Shared.Rent(MaxValueBytes);
        for (var rest = key; !rest.IsEmpty;)
        {
            var name = rest.Slice(1, rest[0]);
            rest = rest[(1 + name.Length)..];
            var stored = BinaryPrimitives.ReadUInt16LittleEndian(rest);
            rest = rest[(sizeof(ushort) + (stored == AbsentValue ? 0 : stored))..];
            var length = Normalize(request, name, value.AsSpan(0, MaxValueBytes));
            if (length == TooLong)
            {
                variant = place;
                break;
            }

            // Nothing and an empty value are two things.
            variant = SipHash.Compute(SipHash.Compute(variant, name) ^ (length == NotThere ? 1u : 0u), value.AsSpan(0, Math.Max(0, length)));
        }

        ArrayPool<byte>.Shared.Return(value, clearArray: true);
        return variant;
    }

    /// <summary>The names in a key, for people.</summary>
    public static string Describe(ReadOnlySpan<byte> key)
    {
        var names = new List<string>();
        for (var rest = key; !rest.IsEmpty;)
        {
            names.Add(Encoding.ASCII.GetString(rest.Slice(1, rest[0])));
            rest = rest[(1 + rest[0])..];
            var length = BinaryPrimitives.ReadUInt16LittleEndian(rest);
            rest = rest[(sizeof(ushort) + (length == AbsentValue ? 0 : length))..];
        }

        return string.Join(", ", names);
    }

    private const int NotThere = -1;
    private const int TooLong = -2;

    private static bool TryAdd(ArrayBufferWriter<byte> writer, ReadOnlySpan<byte> name, HeaderList request, Span<byte> scratch)
    {
        var length = Normalize(request, name, scratch[..MaxValueBytes]);
        if (length == TooLong)
        {
            return false;
        }

        var into = writer.GetSpan(1 + name.Length + sizeof(ushort) + Math.Max(0, length));
        into[0] = (byte)name.Length;
        Ascii.ToLower(name, into[1..], out _);
        BinaryPrimitives.WriteUInt16LittleEndian(into[(1 + name.Length)..], length == NotThere ? AbsentValue : (ushort)length);
        scratch[..Math.Max(0, length)].CopyTo(into[(1 + name.Length + sizeof(ushort))..]);
        writer.Advance(1 + name.Length + sizeof(ushort) + Math.Max(0, length));
        return true;
    }

    private static bool MatchesLong(HeaderList request, ReadOnlySpan<byte> name, bool isAbsent, ReadOnlySpan<byte> value)
    {
        var rented = ArrayPool<byte>.Shared.Rent(MaxValueBytes);
        var length = Normalize(request, name, rented.AsSpan(0, MaxValueBytes));
        var matches = length >= 0 && !isAbsent && rented.AsSpan(0, length).SequenceEqual(value);
        ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        return matches;
    }

    /// <summary>Writes a field's value in its comparable form.</summary>
    private static int Normalize(HeaderList request, ReadOnlySpan<byte> name, Span<byte> into)
    {
        var length = 0;
        var isThere = false;
        for (var i = 0; i < request.Count; i++)
        {
            var field = request[i];
            if (field.Name.Length != name.Length || !Ascii.EqualsIgnoreCase(field.Name, name))
            {
                continue;
            }

            if (length + field.Value.Length + 2 > into.Length)
            {
                return TooLong;
            }

            if (isThere)
            {
                into[length++] = (byte)',';
                into[length++] = (byte)' ';
            }

            isThere = true;
            field.Value.CopyTo(into[length..]);
            length += field.Value.Length;
        }

        if (!isThere)
        {
            return NotThere;
        }

        // Inside quotes a comma is no separator and white space may matter.
        var value = into[..length];
        if (value.Contains((byte)'"'))
        {
            return length;
        }

        // Only where the field's own syntax has a list (RFC 9110 12.5): of another field nothing is known.
        var isLanguage = Ascii.EqualsIgnoreCase(name, "accept-language"u8);
        var isEncoding = Ascii.EqualsIgnoreCase(name, "accept-encoding"u8);
        if (!isLanguage && !isEncoding && !Ascii.EqualsIgnoreCase(name, "accept"u8))
        {
            return length;
        }

        length = RemoveSpaces(value);
        if (isLanguage || isEncoding)
        {
            Ascii.ToLowerInPlace(value[..length], out _);
        }

        if (isEncoding)
        {
            // Preference is in the weights. Among languages many services take the first of equal ones (RFC 9110 12.5.4): there order stays.
            SortItems(value[..length]);
        }

        return length;
    }

    /// <summary>White space around commas and semicolons goes (RFC 9110 5.6.1), and so do empty items.</summary>
    private static int RemoveSpaces(Span<byte> value)
    {
        var length = 0;
        for (var i = 0; i < value.Length; i++)
        {
            var letter = value[i];
            if (letter is (byte)' ' or (byte)'\t')
            {
                var next = i + 1;
                while (next < value.Length && value[next] is (byte)' ' or (byte)'\t')
                {
                    next++;
                }

                if (length == 0 || value[length - 1] is (byte)',' or (byte)';' || next == value.Length || value[next] is (byte)',' or (byte)';')
                {
                    continue;
                }
            }

            if (letter == ',' && (length == 0 || value[length - 1] == ','))
            {
                continue;
            }

            value[length++] = letter;
        }

        return length > 0 && value[length - 1] == ',' ? length - 1 : length;
    }

    /// <summary>Selection sort by rotation, in place: lists of languages are short.</summary>
    private static void SortItems(Span<byte> list)
    {
        const int MaxItems = 16;
        Span<Range> items = stackalloc Range[MaxItems + 1];
        ReadOnlySpan<byte> source = list;
        var count = 0;
        foreach (var range in source.Split((byte)','))
        {
            if (count == MaxItems)
            {
                return;
            }

            items[count++] = range;
        }

        if (count < 2)
        {
            return;
        }

        Span<byte> sorted = stackalloc byte[512];
        if (list.Length > sorted.Length)
        {
            return;
        }

        var length = 0;
        for (var done = 0; done < count; done++)
        {
            var least = done;
            for (var i = done + 1; i < count; i++)
            {
                least = list[items[i]].SequenceCompareTo(list[items[least]]) < 0 ? i : least;
            }

            (items[done], items[least]) = (items[least], items[done]);
            list[items[done]].CopyTo(sorted[length..]);
            length += list[items[done]].Length;
            if (done < count - 1)
            {
                sorted[length++] = (byte)',';
            }
        }

        sorted[..length].CopyTo(list);
    }
}
