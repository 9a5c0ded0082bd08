using System.Buffers.Binary;

namespace Tidegate.Control.Otlp;

/// <summary>Reads protobuf wire format, field by field. Whatever is no such message ends early.</summary>
internal static class ProtobufFields
{
    /// <summary>Takes the next field.</summary>
    /// <param name="message">The rest of a message.</param>
    /// <param name="field">Its number.</param>
    /// <param name="number">Of what has a number; else 0.</param>
    /// <param name="content">Of what has a length; else empty.</param>
    /// <returns>False at the end, and where it is broken.</returns>
    public static bool TryTake(scoped ref ReadOnlySpan<byte> message, out ulong field, out ulong number, out ReadOnlySpan<byte> content)
    {
        number = 0;
        content = default;
        if (!TryVarint(ref message, out field))
        {
            return false;
        }

        var type = (int)(field & 7);
        field >>= 3;
        switch (type)
        {
            case 0:
                return TryVarint(ref message, out number);
            case 1 when message.Length >= sizeof(ulong):
                number = BinaryPrimitives.ReadUInt64LittleEndian(message);
                message = message[sizeof(ulong)..];
                return true;
            case 5 when message.Length >= sizeof(uint):
                number = BinaryPrimitives.ReadUInt32LittleEndian(message);
                message = message[sizeof(uint)..];
                return true;
            case 2 when TryVarint(ref message, out var length) && length <= (ulong)message.Length:
                content = message[..(int)length];
                message = message[(int)length..];
                return true;
            default:
                return false;
        }
    }

    private static bool TryVarint(scoped ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (var i = 0; i < bytes.Length && i < 10; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return true;
            }
        }

        return false;
    }
}
