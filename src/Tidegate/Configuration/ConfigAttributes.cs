namespace Tidegate.Configuration;

/// <summary>What a key means, with its default and the reason. Becomes the JSON Schema's description.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class DocAttribute(string text) : Attribute
{
    public string Text { get; } = text;
}

/// <summary>A size in bytes, written as <c>512</c>, <c>64KB</c>, <c>10MB</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SizeAttribute : Attribute;

/// <summary>A file or directory; a relative one is relative to the file that names it. Words that stand for something else stay as they are.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PathAttribute(params string[] words) : Attribute
{
    public bool IsPath(string value) => !words.Contains(value);
}

/// <summary>A bare word is short for a mapping that has it as its only key: <c>[api_key]</c> for <c>[{ api_key: {} }]</c>.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class BareWordAttribute : Attribute;

/// <summary>A single value is short for a mapping that has it under this key alone: <c>http://10.0.0.1</c> for <c>{ url: http://10.0.0.1 }</c>.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ShortFormAttribute(string key) : Attribute
{
    public string Key { get; } = key;
}

/// <summary>Read once, at the start: a reload leaves the value that the process began with. <c>diff</c> says so.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NeedsRestartAttribute : Attribute;
