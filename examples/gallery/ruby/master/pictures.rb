require "fileutils"
require "securerandom"

# Pictures as files beside the program: gone when the dyno is.
module Pictures
  FOLDER = File.expand_path("uploads", __dir__)
  FileUtils.mkdir_p(FOLDER)

  # Their names, the newest first.
  def self.all
    Dir.children(FOLDER).sort_by { |name| File.mtime(File.join(FOLDER, name)) }.reverse
  end

  # Gives the name under which it is found.
  def self.add(content, type)
    name = "#{SecureRandom.hex(8)}#{Gallery::TYPES.fetch(type)}"
    File.binwrite(File.join(FOLDER, name), content)
    name
  end

  # Content and type, or nil.
  def self.find(name)
    [File.binread(File.join(FOLDER, name)), Gallery::TYPES.key(File.extname(name))] if all.include?(name)
  end
end
