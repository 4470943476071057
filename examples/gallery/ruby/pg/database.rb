require "logger"
require "active_record"

url = ENV["DATABASE_URL"] or raise "There is no database: the config var DATABASE_URL is not set."
ActiveRecord::Base.establish_connection(url)
