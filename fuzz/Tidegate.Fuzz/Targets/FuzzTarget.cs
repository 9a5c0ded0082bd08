using System.Text;

namespace Tidegate.Fuzz.Targets;

/// <summary>One parser, what it usually gets, and what must hold whatever it gets.</summary>
internal abstract class FuzzTarget
{
    /// <summary>Every target, by the name that the command line knows.</summary>
    public static IReadOnlyDictionary<string, FuzzTarget> All { get; } = new FuzzTarget[]
    {
        new HeadTarget(),
        new ChunkedBodyTarget(),
        new ResponseTarget(),
        new CanonicalTargetTarget(),
        new FieldTarget(),
        new ClientHelloTarget(),
        new Http2PrefaceTarget(),
        new ConfigurationTarget(),
        new JsonCostTarget(),
    }.ToDictionary(target => target.Name);

    public abstract string Name { get; }

    /// <summary>Good inputs, from which all others are made.</summary>
    public abstract IReadOnlyList<byte[]> Seeds { get; }

    /// <summary>Pieces of the parser's grammar that mutations put in.</summary>
    public abstract IReadOnlyList<byte[]> Tokens { get; }

    /// <summary>Parses in every way there is.</summary>
    /// <param name="input">Any bytes.</param>
    /// <param name="random">Chooses how the input is cut into pieces.</param>
    /// <exception cref="InvariantException">What must hold does not. Any other exception is as bad.</exception>
    public abstract void Check(byte[] input, Random random);

    protected static IReadOnlyList<byte[]> Latin1(params string[] texts) => [.. texts.Select(Encoding.Latin1.GetBytes)];

    protected static void AreEqual(string expected, string actual, string what)
    {
        if (expected != actual)
        {
            throw new InvariantException($"{what}:\n  expected {expected}\n  actual   {actual}");
        }
    }

    protected static void Holds(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvariantException(what);
        }
    }
}

/// <summary>What must hold whatever the input, does not.</summary>
internal sealed class InvariantException(string message) : Exception(message);
